import { describe, expect, test } from "vitest";
import { assemble } from "../../../src/gpu/wgsl";

const SOURCE = `// A file.
const SIZE: u32 = 64; // unit
const SHIFT: i32 = -1;
const EPS: f32 = 1e-5; // from the config
const ON: bool = false;
const DERIVED: u32 = SIZE / 2u;
fn f() -> u32 { return SIZE; }`;

const lineOf = (code: string, name: string): string | undefined =>
  code.split("\n").find((line) => line.startsWith(`const ${name}:`));

describe("assemble", () => {
  test.each([
    ["SIZE", 96, "const SIZE: u32 = 96u; // unit"],
    ["SIZE", 0, "const SIZE: u32 = 0u; // unit"],
    ["SHIFT", -3, "const SHIFT: i32 = -3i;"],
    ["EPS", 1e-6, "const EPS: f32 = 0.000001; // from the config"],
    ["EPS", 1e-12, "const EPS: f32 = 1e-12; // from the config"],
    ["EPS", 1, "const EPS: f32 = 1.0; // from the config"],
    ["EPS", 0.25503, "const EPS: f32 = 0.25503; // from the config"],
    ["ON", true, "const ON: bool = true;"],
  ])("%s = %s", (name, value, line) => {
    expect(lineOf(assemble({ source: SOURCE, consts: { [name]: value } }), name)).toBe(line);
  });

  test("a constant of a part is written there; the rest stays", () => {
    const code = assemble({ source: SOURCE, parts: ["const LANES: u32 = 4;\nfn g() {}"], consts: { LANES: 32 } });
    expect(lineOf(code, "LANES")).toBe("const LANES: u32 = 32u;");
    expect(code.replace("LANES: u32 = 32u", "LANES: u32 = 4")).toBe(`${SOURCE}\nconst LANES: u32 = 4;\nfn g() {}`);
  });

  test.each([
    ["no line", { NOTHING: 1 }, [], "found 0"],
    ["a line in two files", { SIZE: 1 }, ["const SIZE: u32 = 1;"], "found 2"],
    ["a name that another begins with", { SIZ: 1 }, [], "found 0"],
    ["a line that is not at the margin", { INNER: 1 }, ["fn g() {\n  const INNER: u32 = 1;\n}"], "found 0"],
  ])("refuses %s", (_, consts, parts, message) => {
    const refused = expect.objectContaining({ code: "shader", message: expect.stringContaining(message) });
    expect(() => assemble({ source: SOURCE, parts, consts: consts as Record<string, number> })).toThrowError(refused);
  });

  test("features are enabled before everything; subgroups lift the uniformity check", () => {
    const code = assemble({ source: SOURCE, features: ["f16", "subgroups"] });
    expect(code).toBe(`enable f16;\nenable subgroups;\ndiagnostic(off, subgroup_uniformity);\n${SOURCE}`);
    expect(assemble({ source: SOURCE })).toBe(SOURCE);
  });
});
