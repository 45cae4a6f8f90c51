/** An adapter that the tests of the browser run on. */
export interface TestAdapter {
  readonly name: "swiftshader" | "lavapipe";
  /** Lanes of a subgroup: every one that this adapter makes. */
  readonly subgroupSize: number;
}

/** Where each suite in the browser runs. */
export const ADAPTERS: Readonly<Record<string, TestAdapter>>;

/**
 * What `RIDGEPOINT_ADAPTER` and `RIDGEPOINT_SUBGROUPS` ask for; SwiftShader where nothing is said.
 *
 * @throws Error: no such adapter, or not of that width
 */
export function adapterOfRun(environment?: NodeJS.ProcessEnv): TestAdapter;

/** Variables that make {@link adapterOfRun} this adapter. */
export function environmentOf(adapter: TestAdapter): Record<string, string>;

/** Patterns of the test files that run on an adapter. */
export function testsOf(adapter: TestAdapter): string[];
