/**
 * The adapters that tests run on, and what runs on each. Plain JavaScript, because the test configuration and the test runner read it.
 *
 * SwiftShader is the floor: no f16 arithmetic, subgroups of 4. lavapipe has f16 arithmetic and subgroups as wide as it is told, other
 * limits, another compiler: there f16 kernels and other widths are executed rather than assumed.
 */

/** Where each suite in the browser runs. */
export const ADAPTERS = {
  browser: { name: "swiftshader", subgroupSize: 4 },
  lavapipe: { name: "lavapipe", subgroupSize: 8 },
  "lavapipe-4": { name: "lavapipe", subgroupSize: 4 },
  "lavapipe-16": { name: "lavapipe", subgroupSize: 16 },
};

/** What `RIDGEPOINT_ADAPTER` and `RIDGEPOINT_SUBGROUPS` ask for. */
export function adapterOfRun({ RIDGEPOINT_ADAPTER: name = "swiftshader", RIDGEPOINT_SUBGROUPS: wide } = process.env) {
  const known = Object.values(ADAPTERS).filter((adapter) => adapter.name === name);
  const found = wide === undefined ? known[0] : known.find(({ subgroupSize }) => String(subgroupSize) === wide);
  if (found) return found;
  const expected = Object.values(ADAPTERS).map((adapter) => `${adapter.name} with ${adapter.subgroupSize}`);
  throw new Error(`adapter ${name}${wide ? ` with subgroups of ${wide}` : ""}: expected ${expected.join(", ")}`);
}

/** Variables that make {@link adapterOfRun} this adapter. */
export const environmentOf = ({ name, subgroupSize }) => ({
  RIDGEPOINT_ADAPTER: name,
  RIDGEPOINT_SUBGROUPS: String(subgroupSize),
});

/**
 * The tests that run on an adapter. Subgroups of 4 and 16 change kernels alone: what models and decoders make of right kernels was seen
 * at 8 lanes.
 */
export const testsOf = ({ name, subgroupSize }) =>
  name === "lavapipe" && subgroupSize !== 8 ? ["test/kernel/**/*.test.ts"] : ["test/{kernel,model,decode}/**/*.test.ts"];
