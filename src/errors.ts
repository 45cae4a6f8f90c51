/** Every error this project throws on purpose. The `code` is stable; the message names the thing, what was expected, what came, what to do. */

/** Stable error codes, also printed by the command line as `error [code]: message`. */
export type ErrorCode =
  | "no-webgpu" // the page has no `navigator.gpu`
  | "no-adapter" // WebGPU is there, an adapter is not
  | "missing-limit" // the adapter's limits are too small for what was asked
  | "device-lost"
  | "out-of-memory"
  | "gpu-validation" // an uncaptured WebGPU error: a fault of this project
  | "shader" // WGSL that does not compile, or a const line that is not there
  | "bad-file" // a model file that is truncated, inconsistent or hostile
  | "missing-tensor"
  | "bad-tensor" // wrong shape or dtype
  | "unsupported-architecture"
  | "unsupported-dtype"
  | "bad-config"
  | "no-tokenizer"
  | "bad-tokenizer"
  | "bad-template"
  | "network"
  | "not-found"
  | "bad-option" // an unknown or inconsistent option
  | "context-overflow"
  | "abort"
  | "timeout"
  | "browser" // the command line found no browser, or the browser died
  | "usage";

/** An error with a stable {@link ErrorCode}. */
export class RidgepointError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RidgepointError";
    this.code = code;
  }
}

/** Throws {@link RidgepointError} unless `condition` holds. */
export function ensure(condition: unknown, code: ErrorCode, message: string | (() => string)): asserts condition {
  if (!condition) throw new RidgepointError(code, typeof message === "string" ? message : message());
}
