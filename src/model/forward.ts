/** The forward pass of every architecture, as a list: record appends dispatches and runs nothing. Differences between models are data. */
import type { Gpu } from "../gpu/device";
import {
  allow,
  bias,
  guide,
  type PastTokens,
  penalize,
  reveal,
  revealCapacity,
  rowAnswer,
  rowStats,
  sampleCutoff,
  statsGeometry,
  suppress,
  topTokens,
} from "../kernels/answer";
import { qkvWidth, ropeCache } from "../kernels/attention";
import type { Dispatch, Extent, Kernel } from "../kernels/dispatch";
import { type Lanes, lanesOf } from "../kernels/lanes";
import { embed, pad32, rmsnorm } from "../kernels/layer";
import { attentionStep } from "./attention-step";
import type { ModelConfig } from "./config";
import { alone, bindOp, type LinearPlace, linearOp, type NormPlace, normedStep, type Op, type Place, type Step } from "./ops";
import { attentionShapeOf, type Scratch } from "./scratch";
import type { LayerWeights, ModelWeights } from "./weights";

/** What stands between logits and answers. */
export interface AnswerOptions {
  /** Ids in the suppress list. */
  readonly suppressed: number;
  /** Top-k, top-p or min-p is on. */
  readonly filtered: boolean;
  /** The logits' second half is the unconditional one. */
  readonly guided: boolean;
  /** Ids in the bias list. */
  readonly biased: number;
  /** Tokens that penalties count, over all rows, and pairs of them within a row; null where there are none. */
  readonly penalized: PastTokens | null;
  /** A bitmap says which ids may be drawn. */
  readonly constrained: boolean;
  /** The most probable tokens are wanted. */
  readonly topped: boolean;
}

export class Forward {
  readonly #gpu: Gpu;
  readonly #config: ModelConfig;
  readonly #weights: ModelWeights;
  readonly #scratch: Scratch;
  readonly #lanes: Lanes;
  #body: Step[] = [];
  #logits: Step[] = [];
  #guide: Op[] = [];
  #stats: Op[] = [];
  #filteredStats: Op[] = [];
  #reveal: Op[] = [];
  #penalize: ((past: PastTokens) => Op) | null = null;
  #tops: Op[] = [];
  #allow: Op[] = [];
  #suppress: ((ids: number) => Op) | null = null;
  #bias: ((ids: number) => Op) | null = null;

  private constructor(gpu: Gpu, config: ModelConfig, weights: ModelWeights, scratch: Scratch) {
    this.#gpu = gpu;
    this.#config = config;
    this.#weights = weights;
    this.#scratch = scratch;
    this.#lanes = lanesOf(gpu.profile);
  }

  /** Compiles every pipeline, all at once. */
  static async create(gpu: Gpu, config: ModelConfig, weights: ModelWeights, scratch: Scratch): Promise<Forward> {
    const forward = new Forward(gpu, config, weights, scratch);
    await forward.#build();
    return forward;
  }

  /** All layers over the rows of the plan: afterwards `hidden` holds their last states. */
  recordBody(extent: Extent, planOffset: number): Dispatch[] {
    return this.#body.flatMap((step) => step(extent, planOffset));
  }

  /** Logits of the plan's source rows. */
  recordLogits(rows: number, planOffset: number): Dispatch[] {
    return this.#logits.flatMap((step) => step({ rows, visible: 0, span: 0 }, planOffset));
  }

  /** From logits to answers. */
  recordAnswers(rows: number, planOffset: number, options: AnswerOptions): Dispatch[] {
    const { suppressed, filtered, guided, biased, penalized, constrained, topped } = options;
    const ops = [
      ...(guided ? this.#guide : []),
      ...(penalized && this.#penalize ? [this.#penalize(penalized)] : []),
      ...(biased > 0 && this.#bias ? [this.#bias(biased)] : []),
      ...(suppressed > 0 && this.#suppress ? [this.#suppress(suppressed)] : []),
      ...(constrained ? this.#allow : []),
      ...(filtered ? this.#filteredStats : this.#stats),
      ...(topped ? this.#tops : []),
    ];
    return ops.map((op) => op({ rows, visible: 0, span: 0 }, planOffset));
  }

  /** Writes the answers that the plan's rule takes into the canvas. */
  recordReveal(answers: number, planOffset: number): Dispatch[] {
    return this.#reveal.map((op) => op({ rows: answers, visible: 0, span: 0 }, planOffset));
  }

  async #build(): Promise<void> {
    const { layers } = this.#weights;
    const [embedding, head, , ...bodies] = await Promise.all([
      this.#buildEmbedding(),
      this.#buildHead(),
      this.#buildAnswers(),
      ...layers.map((weights, layer) => this.#buildLayer(weights, layer)),
    ]);
    this.#body = [...embedding, ...bodies.flat()];
    this.#logits = head;
  }

  /** The embedding, a dispatch for each shard of the vocabulary. */
  async #buildEmbedding(): Promise<Step[]> {
    const { canvas, hidden } = this.#scratch.buffers;
    const at = { role: "embed_tokens", layer: null };
    const shards = this.#weights.embedTokens.map((e) =>
      this.#op(embed(e, this.#config.hiddenSize), [e.words, e.scales, canvas, hidden], at),
    );
    return (await Promise.all(shards)).map(alone);
  }

  async #buildLayer(w: LayerWeights, layer: number): Promise<Step[]> {
    const { hiddenSize, intermediateSize, rmsNormEps: eps } = this.#config;
    const { hidden, qkv, query, attended, pieces, gated, turns, zeros } = this.#scratch.buffers;
    const keys = this.#scratch.keys[layer] as GPUBuffer;
    const values = this.#scratch.values[layer] as GPUBuffer;
    const shape = attentionShapeOf(this.#config, this.#scratch.capacity, this.#scratch.cacheType);
    const rope = ropeCache(this.#lanes, shape, w.headNorm ? { eps } : null);
    const width = pad32(qkvWidth(shape));
    const qkvProj: LinearPlace = { role: "qkv_proj", layer, input: hidden, output: qkv, stride: width, zeros };
    const gateUp: LinearPlace = { ...qkvProj, role: "gate_up_proj", output: gated, stride: pad32(intermediateSize), gated: true };
    const added = { layer, output: hidden, stride: pad32(hiddenSize), residual: true, zeros };
    return Promise.all([
      normedStep(this.#gpu, w.qkvProj, qkvProj, this.#norm(w.inputLayernorm, { role: "input_layernorm", layer })),
      this.#op(rope, [qkv, turns, w.headNorm ?? zeros, query, keys, values], { role: "rope_cache", layer }).then(alone),
      attentionStep(this.#gpu, shape, { query, keys, values, attended, pieces }, { role: "attention", layer }),
      linearOp(this.#gpu, w.oProj, { ...added, role: "o_proj", input: attended }).then(alone),
      normedStep(
        this.#gpu,
        [w.gateUpProj],
        gateUp,
        this.#norm(w.postAttentionLayernorm, { role: "post_attention_layernorm", layer }),
      ),
      linearOp(this.#gpu, w.downProj, { ...added, role: "down_proj", input: gated }).then(alone),
    ]);
  }

  async #buildHead(): Promise<Step[]> {
    const { hidden, logits, zeros } = this.#scratch.buffers;
    const place = { role: "lm_head", layer: null, input: hidden, output: logits, stride: this.#config.vocabSize, zeros };
    const norm = this.#norm(this.#weights.norm, { role: "norm", layer: null }, true);
    return [await normedStep(this.#gpu, this.#weights.lmHead, place, norm)];
  }

  /** A norm of the hidden rows; `gather` takes the plan's source rows. */
  #norm(gain: GPUBuffer, place: Place, gather = false): NormPlace {
    const { hiddenSize: size, rmsNormEps: eps } = this.#config;
    const { hidden, normed } = this.#scratch.buffers;
    const kernel = rmsnorm(this.#lanes, size, eps, gather);
    return { ...place, shape: { size, eps, gather }, kernel, gain, input: hidden, output: normed };
  }

  async #buildAnswers(): Promise<void> {
    const { vocabSize } = this.#config;
    const { logits, cutoff, partials, answers, reports, canvas, suppress: list, biases, tops } = this.#scratch.buffers;
    const { taken, allowed } = this.#scratch.buffers;
    const geometry = statsGeometry(this.#gpu.profile, vocabSize);
    const at = (role: string): Place => ({ role, layer: null });
    const stats = (filtered: boolean) =>
      this.#op(rowStats(geometry, vocabSize, filtered), [logits, cutoff, partials], at("row_stats"));
    const [penalizeOp, biasOp, topsOp, allowOp, suppressOp, guideOp, allStats, filteredStats, answerOp, cutoffOp, revealOp] =
      await Promise.all([
        this.#op(penalize(this.#gpu.profile, vocabSize), [canvas, logits], at("penalize")),
        this.#op(bias(vocabSize, 1), [biases, logits], at("bias")),
        this.#op(topTokens(this.#gpu.profile, vocabSize), [logits, answers, tops], at("top_tokens")),
        this.#op(allow(vocabSize), [allowed, logits], at("allow")),
        this.#op(suppress(vocabSize, 1), [list, logits], at("suppress")),
        this.#op(guide(vocabSize), [logits], at("guide")),
        stats(false),
        stats(true),
        this.#op(rowAnswer(geometry, vocabSize), [partials, logits, answers], at("row_answer")),
        this.#op(sampleCutoff(this.#lanes, vocabSize), [logits, cutoff], at("sample_cutoff")),
        this.#op(
          reveal(this.#gpu.profile, revealCapacity(this.#scratch.capacity.rows)),
          [answers, canvas, reports, taken],
          at("reveal"),
        ),
      ]);
    const sized =
      <Size>(op: Op, kernelOf: (size: Size) => Kernel) =>
      (size: Size): Op =>
      (extent, planOffset) => {
        const kernel = kernelOf(size);
        return { ...op(extent, planOffset), ...kernel.work(extent), grid: kernel.grid(extent) };
      };
    this.#suppress = sized(suppressOp, (ids: number) => suppress(vocabSize, ids));
    this.#bias = sized(biasOp, (ids: number) => bias(vocabSize, ids));
    this.#penalize = sized(penalizeOp, (past: PastTokens) => penalize(this.#gpu.profile, vocabSize, past));
    this.#tops = [topsOp];
    this.#allow = [allowOp];
    this.#guide = [guideOp];
    this.#stats = [allStats, answerOp];
    this.#filteredStats = [cutoffOp, filteredStats, answerOp];
    this.#reveal = [revealOp];
  }

  #op(kernel: Kernel, buffers: readonly GPUBuffer[], place: Place): Promise<Op> {
    return bindOp(this.#gpu, kernel, buffers, place);
  }
}
