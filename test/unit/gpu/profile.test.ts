/** Adapters as they name themselves to a page, and whether they are CPUs. */
import { expect, test } from "vitest";
import { isSoftware } from "../../../src/gpu/profile";

test.each([
  ["google", "swiftshader", "", true],
  ["mesa", "software", "", true],
  ["mesa", "software", "llvmpipe (LLVM 15.0.6, 256 bits)", true],
  ["microsoft", "", "Microsoft Basic Render Driver", true],
  ["nvidia", "ada", "", false],
  ["mesa", "", "software rendering is off", false],
  ["", "", "", false],
])("%j %j %j: a CPU %s", (vendor, architecture, description, software) => {
  expect(isSoftware({ vendor, architecture, description })).toBe(software);
});
