/** Options of masked diffusion to its decoder. */
import { ensure } from "../errors";
import type { CacheSettings, MaskedCache, SuffixDropout } from "./caches";
import { Canvas } from "./canvas";
import type { DecoderContext } from "./decoder";
import { maskedDiffusion } from "./masked-diffusion";
import type { GenerateOptions } from "./options";
import type { Resolved } from "./resolve";
import { DEFAULT_GEN_LENGTH, decoderOf, denoisingOf, divide, type Made, overflow } from "./resolve-diffusion";
import { selfSpeculation } from "./speculative-options";
import { variableLength } from "./variable-length";
import { growingLengths } from "./variable-options";

/** Options that a decoder of its own does not look at. */
const PLANNING = ["cache", "refreshInterval", "cacheWindow", "cacheWarmup", "suffixWindow", "suffixDensity", "cfgScale"] as const;

/** What each cache looks at, with its defaults (dInfer, dKV-Cache). */
const CACHE_DEFAULTS: Readonly<Record<MaskedCache, Partial<CacheSettings>>> = {
  none: {},
  prefix: { refresh: 0 },
  dual: { refresh: 0 },
  vicinity: { refresh: 0, window: 16, warmup: 4 },
  delayed: { refresh: 8, warmup: 2 },
  frozen: { refresh: 0 },
};

function cacheOf(options: GenerateOptions): { cache: MaskedCache } & Partial<CacheSettings> {
  const cache = (options.cache ?? "none") as MaskedCache;
  const given = { refresh: options.refreshInterval, window: options.cacheWindow, warmup: options.cacheWarmup };
  const settings: Record<string, number> = { ...CACHE_DEFAULTS[cache] };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    ensure(
      name in settings,
      "bad-option",
      () =>
        `${OPTION[name as keyof CacheSettings]}: has no effect with cache ${cache}; leave it out, or give a cache that has it`,
    );
    settings[name] = value;
  }
  return { cache, ...settings };
}

const OPTION: Readonly<Record<keyof CacheSettings, string>> = {
  refresh: "refreshInterval",
  window: "cacheWindow",
  warmup: "cacheWarmup",
};

function suffixOf({ suffixWindow, suffixDensity = 0, seed = 0 }: GenerateOptions): SuffixDropout | null {
  ensure(
    suffixWindow !== undefined || suffixDensity === 0,
    "bad-option",
    "suffixDensity: is the density behind the suffix window; give suffixWindow too",
  );
  return suffixWindow === undefined ? null : { window: suffixWindow, density: suffixDensity, seed };
}

export function resolveMasked(made: Made): Resolved {
  const { shared, prompt, promptLength, context, options } = made;
  const { config } = context;
  const given = prompt.length - promptLength;
  const room = Math.min(context.contextLength, context.maxRows);
  const growing = growingLengths(made, room);
  const asked = options.genLength === "auto" ? undefined : (options.genLength ?? options.maxNewTokens);
  ensure(
    given === 0 || asked === undefined || asked === given,
    "bad-option",
    () => `genLength: the canvas has ${given} places after its first hole, came ${asked}; leave it out`,
  );
  const genLength = growing?.first ?? (given > 0 ? given : (asked ?? DEFAULT_GEN_LENGTH));
  const answerLength = growing?.most ?? genLength;
  const end = promptLength + answerLength;
  ensure(end <= context.contextLength, "context-overflow", () => overflow(promptLength, answerLength, context));
  const guidance = options.cfgScale ?? 0;
  const uncached = guidance === 0 || (options.cache ?? "none") === "none";
  ensure(uncached, "bad-option", () => `cfgScale: guidance recomputes both canvases; expected cache none, came ${options.cache}`);
  const both = 2 * (promptLength + genLength);
  ensure(
    guidance === 0 || both <= room,
    "context-overflow",
    () => `cfgScale: two canvases need ${both} positions, ${room} are there; load with a larger contextLength`,
  );
  ensure(
    given === 0 || options.earlyStop !== true,
    "bad-option",
    "earlyStop: all holes of a given canvas are filled; leave it out",
  );
  const blockLength = options.blockLength ?? (given > 0 ? given : Math.min(genLength, config.blockLength ?? 32));
  const blocks = divide("genLength", genLength, blockLength, "blockLength");
  const earlyStop = given === 0 && (options.earlyStop ?? true) && shared.stopIds.size > 0;
  const canvas = new Canvas(
    prompt.map((id) => id ?? (config.maskTokenId as number)),
    promptLength,
    config.maskTokenId as number,
  );
  canvas.extend(promptLength + genLength);
  const planned = decoderOf(made, growing ? [...PLANNING, "genLength"] : PLANNING);
  if (planned) {
    const { policy, values } = planned;
    const run = { blockLength, gridOffset: 0, earlyStop };
    const needed = promptLength + genLength + policy.room(run);
    ensure(
      needed <= room,
      "context-overflow",
      () => `policy ${policy.name}: needs ${needed} positions, ${room} are there; load with a larger contextLength`,
    );
    const decoder = (at: DecoderContext) => policy.decoder(at, values, run);
    return { ...shared, canvas, decoder, guided: false, answerLength: genLength };
  }
  const denoising = denoisingOf(made, { genLength, blockLength, blocks });
  const speculation = selfSpeculation(options, { base: end, rows: end, context });
  const settings = {
    ...denoising,
    ...cacheOf(options),
    suffix: suffixOf(options),
    blockLength,
    guidance,
    earlyStop,
    shift: config.shift,
    ...(speculation && { speculation }),
  };
  const fixed = (at: DecoderContext) => maskedDiffusion(at, settings);
  const decoder = growing ? (at: DecoderContext) => variableLength(at, { ...growing, decoder: fixed }) : fixed;
  return {
    ...shared,
    canvas,
    decoder,
    guided: guidance > 0,
    answerLength,
    ...(speculation && { speculation: speculation.tally }),
  };
}
