/** The architectures this project runs, as a table: what a name fixes, before any file is read. */
import { RidgepointError } from "../errors";

/** Autoregressive, masked diffusion, block diffusion. */
export type Family = "ar" | "mdlm" | "block";

/** What a `model_type` fixes: everything else is read from the file. */
export interface Architecture {
  readonly architecture: string;
  /** `by-block`: block diffusion when the file has a block size, else masked diffusion. */
  readonly family: Family | "by-block";
  readonly shift: boolean;
  readonly qkvBias: boolean;
  readonly qkNorm: boolean;
}

const LLAMA: Architecture = { architecture: "llama", family: "ar", shift: true, qkvBias: false, qkNorm: false };
const QWEN2: Architecture = { ...LLAMA, architecture: "qwen2", qkvBias: true };
const QWEN3: Architecture = { ...LLAMA, architecture: "qwen3", qkNorm: true };
const LLADA: Architecture = { ...LLAMA, architecture: "llada", family: "mdlm", shift: false };
const DREAM: Architecture = { ...QWEN2, architecture: "dream", family: "mdlm" };

/** By `model_type` of a Hugging Face `config.json`. */
export const HUGGING_FACE_TYPES: ReadonlyMap<string, Architecture> = new Map([
  ["llama", LLAMA],
  ["qwen2", QWEN2],
  ["qwen3", QWEN3],
  ["llada", LLADA],
  ["Dream", DREAM],
  ["Fast_dLLM_Qwen", { ...QWEN2, architecture: "fast-dllm-v2", family: "block" }],
  ["sdar", { ...QWEN3, architecture: "sdar", family: "block", shift: false }],
  ["a2d-qwen2", { ...QWEN2, architecture: "a2d-qwen2", family: "by-block", shift: false }],
  ["a2d-qwen3", { ...QWEN3, architecture: "a2d-qwen3", family: "by-block", shift: false }],
]);
/** By `general.architecture` of a GGUF file. */
export const GGUF_TYPES: ReadonlyMap<string, Architecture> = new Map([
  ["llama", LLAMA],
  ["qwen2", QWEN2],
  ["qwen3", QWEN3],
  ["llada", LLADA],
  ["dream", DREAM],
]);
/** GGUF architectures whose converter interleaves the rows of q and k. */
export const PERMUTED_GGUF: ReadonlySet<string> = new Set(["llama", "llada"]);

/** Looks `name` up in `table`. Throws `unsupported-architecture` naming it, `where` it was read, and the supported ones. */
export function architectureOf(table: ReadonlyMap<string, Architecture>, name: unknown, where: string): Architecture {
  const known = typeof name === "string" ? table.get(name) : undefined;
  if (known) return known;
  const got = typeof name === "string" ? `"${name.slice(0, 80)}"` : "nothing";
  throw new RidgepointError("unsupported-architecture", `${where}: got ${got}; supported: ${[...table.keys()].join(", ")}`);
}
