// Sorts a table of the report by the column whose heading is pressed; a second press turns the order round.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button")?.addEventListener("click", () => {
      const order = heading.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      const body = table.tBodies[0];
      const keyOf = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => (Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? a.localeCompare(b) : a - b);
      const rows = [...body.rows].sort((a, b) => compare(keyOf(a), keyOf(b)));
      body.append(...(order === "descending" ? rows.reverse() : rows));
    });
  });
}
