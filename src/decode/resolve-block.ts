/** Options of block diffusion to its decoders. */
import { ensure } from "../errors";
import { blockDiffusion, blockEnd } from "./block-diffusion";
import { Canvas } from "./canvas";
import type { Decoder, DecoderContext } from "./decoder";
import type { SelfSpeculation } from "./freedave";
import type { Resolved } from "./resolve";
import { DEFAULT_GEN_LENGTH, decoderOf, denoisingOf, divide, type Made, overflow } from "./resolve-diffusion";
import { shiftedBlockDiffusion } from "./shifted-block-diffusion";
import { selfSpeculation } from "./speculative-options";
import { growingLengths } from "./variable-options";

/** What only models without shift have, and what only those with shift. */
const PLAIN = ["gridOffset", "commitLast", "fusedCommit"] as const;
const SHIFTED = ["subBlockLength"] as const;

export function resolveBlock(made: Made): Resolved {
  const { shared, prompt, promptLength, context, options } = made;
  const { config } = context;
  const blockLength = options.blockLength ?? (config.blockLength as number);
  // Rows see no later block, so an answer that grows is one as long as it may become that ends early. The grid is absolute.
  const growing = growingLengths(made, Math.floor((context.contextLength - (config.shift ? 1 : 0)) / blockLength) * blockLength);
  const given = options.genLength === "auto" ? undefined : (options.genLength ?? options.maxNewTokens);
  const genLength = growing?.most ?? given ?? Math.max(blockLength, Math.floor(DEFAULT_GEN_LENGTH / blockLength) * blockLength);
  const blocks = growing ? Math.ceil(genLength / blockLength) : divide("genLength", genLength, blockLength, "blockLength");
  ensure(
    !config.shift || PLAIN.every((name) => options[name] === undefined),
    "bad-option",
    () => `${PLAIN.filter((name) => options[name] !== undefined).join(", ")}: only for a block model without shift; leave it out`,
  );
  ensure(
    config.shift || (SHIFTED.every((name) => options[name] === undefined) && options.cache !== "sub-block"),
    "bad-option",
    "subBlockLength, cache sub-block: only for a block model with shift (Fast-dLLM v2); leave them out",
  );
  const earlyStop = (options.earlyStop ?? true) && shared.stopIds.size > 0;
  // Behind the last block: the place that a last commit with shift writes, or what a grid with an offset reaches beyond.
  const base = Math.ceil((promptLength + genLength) / blockLength) * blockLength + (config.shift ? 1 : blockLength);
  const speculation = selfSpeculation(options, { base, rows: blockLength, context });
  // Of an answer that grows, each block is scheduled by itself.
  const scheduled = growing ? { genLength: blockLength, blocks: 1 } : { genLength, blocks };
  const lengths = { genLength, blockLength, scheduled, earlyStop, speculation: speculation ?? undefined };
  const canvas = new Canvas(prompt as number[], promptLength, config.maskTokenId as number);
  const decoder = config.shift ? shiftedOf(made, lengths) : plainOf(made, lengths);
  if (!config.shift) canvas.extend(promptLength + genLength);
  return {
    ...shared,
    canvas,
    decoder,
    guided: false,
    answerLength: genLength,
    ...(speculation && { speculation: speculation.tally }),
  };
}

interface Lengths {
  readonly genLength: number;
  readonly blockLength: number;
  /** What the schedule divides into steps. */
  readonly scheduled: { readonly genLength: number; readonly blocks: number };
  readonly earlyStop: boolean;
  readonly speculation: SelfSpeculation | undefined;
}
type MakeDecoder = (at: DecoderContext) => Decoder;

function plainOf(made: Made, lengths: Lengths): MakeDecoder {
  const { promptLength, context, options } = made;
  const { genLength, blockLength, earlyStop } = lengths;
  const offset =
    options.gridOffset === "prompt" ? (blockLength - (promptLength % blockLength)) % blockLength : (options.gridOffset ?? 0);
  ensure(
    offset < blockLength,
    "bad-option",
    () => `gridOffset: expected "prompt" or less than blockLength ${blockLength}, came ${offset}`,
  );
  // The canvas ends with the block that holds the last place.
  const end = blockEnd(promptLength + genLength - 1, blockLength, offset);
  ensure(end <= context.contextLength, "context-overflow", () => overflow(promptLength, end - promptLength, context));
  const planned = decoderOf(made, ["cache", "commitLast", "fusedCommit"]);
  if (planned) {
    const { policy, values } = planned;
    return (at) => policy.decoder(at, values, { blockLength, gridOffset: offset, earlyStop });
  }
  const settings = {
    ...denoisingOf(made, { blockLength, ...lengths.scheduled }),
    speculation: lengths.speculation,
    blockLength,
    gridOffset: offset,
    earlyStop,
  };
  const { commitLast = false, fusedCommit = false } = options;
  return (at) => blockDiffusion(at, { ...settings, commitLast, fusedCommit });
}

function shiftedOf(made: Made, lengths: Lengths): MakeDecoder {
  const { promptLength, context, options } = made;
  const { genLength, blockLength, earlyStop } = lengths;
  const prefilled = Math.floor(promptLength / blockLength) * blockLength;
  // The grid is absolute, and the last commit writes one place more than the canvas has blocks for.
  const end = Math.ceil((promptLength + genLength) / blockLength) * blockLength;
  ensure(end + 1 <= context.contextLength, "context-overflow", () => overflow(promptLength, end - promptLength + 1, context));
  const subBlockLength = options.subBlockLength ?? (options.cache === "sub-block" ? Math.min(8, blockLength) : blockLength);
  const subBlocks = divide("blockLength", blockLength, subBlockLength, "subBlockLength");
  decoderOf(made, []);
  const settings = {
    ...denoisingOf(made, { blockLength, subBlocks, ...lengths.scheduled }),
    speculation: lengths.speculation,
    blockLength,
    subBlockLength,
    subBlockCache: options.cache === "sub-block",
    blocks: (end - prefilled) / blockLength,
  };
  // It looks at stop ids inside its blocks, so not stopping early is having none.
  return (at) => shiftedBlockDiffusion(earlyStop ? at : { ...at, stopIds: new Set() }, settings);
}
