/** Tables for people, in monospace. */

/** A column of {@link formatTable}: its heading and the cell of each row. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** Words are aligned left, numbers (the default) right. */
  readonly left?: boolean;
}

/** A table with a rule under its head, two blanks between columns, ending in a newline. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ head }, index) => Math.max(head.length, ...cells.map((line) => line[index]!.length)));
  const align = (texts: readonly string[]) =>
    texts
      .map((text, index) => (columns[index]!.left ? text.padEnd(widths[index]!) : text.padStart(widths[index]!)))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width));
  return `${[align(columns.map(({ head }) => head)), align(rule), ...cells.map(align)].join("\n")}\n`;
}
