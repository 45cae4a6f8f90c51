/** Assembles one shader module from plain WGSL files: parts joined by name, `const` lines rewritten by name. Knows nothing of devices. */
import { RidgepointError } from "../errors";

export interface WgslModule {
  /** The algorithm's file. */
  readonly source: string;
  /** Library files it calls into; module scope is order-independent. */
  readonly parts?: readonly string[];
  /** New values for `const NAME: type = …;` lines, exactly one of which must exist in the source or a part. */
  readonly consts?: Readonly<Record<string, number | boolean>>;
  /** WGSL extensions to `enable`, e.g. `subgroups`, `f16`. */
  readonly features?: readonly string[];
}

const literal = (type: string, value: number | boolean): string => {
  if (typeof value === "boolean") return String(value);
  if (type === "u32") return `${value}u`;
  if (type === "i32") return `${value}i`;
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
};

/**
 * Joins a module's files and rewrites its constants.
 * @throws `shader` when a constant has no line, or more than one, to be written into.
 */
export function assemble({ source, parts = [], consts = {}, features = [] }: WgslModule): string {
  let code = [source, ...parts].join("\n");
  for (const [name, value] of Object.entries(consts)) {
    const line = new RegExp(`^const ${name}: (\\w+) = [^;]*;`, "gm");
    const found = code.match(line)?.length ?? 0;
    if (found !== 1) {
      throw new RidgepointError("shader", `wgsl: expected exactly one line "const ${name}: type = …;", found ${found}`);
    }
    code = code.replace(line, (_, type: string) => `const ${name}: ${type} = ${literal(type, value)};`);
  }
  const enables = features.map((feature) => `enable ${feature};\n`).join("");
  const diagnostics = features.includes("subgroups") ? "diagnostic(off, subgroup_uniformity);\n" : "";
  return enables + diagnostics + code;
}
