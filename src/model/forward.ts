/** The forward pass of every architecture, as a list: record appends dispatches and runs nothing. Differences between models are data. */
import type { Gpu } from "../gpu/device";
import {
  bias,
  guide,
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
import { codeOf, type Dispatch, type Extent, type Kernel } from "../kernels/dispatch";
import { type Lanes, lanesOf } from "../kernels/lanes";
import { type AttentionShape, attention, embed, pad32, qkvWidth, rmsnorm, ropeCache, swiglu } from "../kernels/layer";
import { chooseLinear, linear } from "../kernels/linear";
import { ROW_CLASSES, rowClass } from "../kernels/tuning";
import type { ModelConfig } from "./config";
import { attentionShapeOf, type Scratch } from "./scratch";
import type { LayerWeights, LinearWeights, ModelWeights } from "./weights";

/** A step of the list: records its dispatch for so many rows. */
type Op = (extent: Extent, planOffset: number) => Dispatch;

/** What the model computes at a place of the list. */
interface Place {
  readonly role: string;
  readonly layer: number | null;
}

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
  readonly penalized: boolean;
  /** The most probable tokens are wanted. */
  readonly topped: boolean;
}

export class Forward {
  readonly #gpu: Gpu;
  readonly #config: ModelConfig;
  readonly #weights: ModelWeights;
  readonly #scratch: Scratch;
  readonly #lanes: Lanes;
  #body: Op[] = [];
  #logits: Op[] = [];
  #guide: Op[] = [];
  #stats: Op[] = [];
  #filteredStats: Op[] = [];
  #reveal: Op[] = [];
  #penalize: Op[] = [];
  #tops: Op[] = [];
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
    return this.#body.map((op) => op(extent, planOffset));
  }

  /** Logits of the plan's source rows. */
  recordLogits(rows: number, planOffset: number): Dispatch[] {
    return this.#logits.map((op) => op({ rows, visible: 0, span: 0 }, planOffset));
  }

  /** From logits to answers. */
  recordAnswers(rows: number, planOffset: number, options: AnswerOptions): Dispatch[] {
    const { suppressed, filtered, guided, biased, penalized, topped } = options;
    const ops = [
      ...(guided ? this.#guide : []),
      ...(penalized ? this.#penalize : []),
      ...(biased > 0 && this.#bias ? [this.#bias(biased)] : []),
      ...(suppressed > 0 && this.#suppress ? [this.#suppress(suppressed)] : []),
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

  async #buildEmbedding(): Promise<Op[]> {
    const { embedTokens: e } = this.#weights;
    const { canvas, hidden } = this.#scratch.buffers;
    const kernel = embed(e.format, e.columns, this.#config.hiddenSize);
    return [await this.#op(kernel, [e.words, e.scales, canvas, hidden], { role: "embed_tokens", layer: null })];
  }

  async #buildLayer(w: LayerWeights, layer: number): Promise<Op[]> {
    const { hiddenSize, intermediateSize, rmsNormEps: eps } = this.#config;
    const { hidden, normed, qkv, query, attended, gateUp, gated, turns, zeros } = this.#scratch.buffers;
    const keys = this.#scratch.keys[layer] as GPUBuffer;
    const values = this.#scratch.values[layer] as GPUBuffer;
    const shape = attentionShapeOf(this.#config, this.#scratch.capacity);
    const norm = rmsnorm(this.#lanes, hiddenSize, eps, false);
    const rope = ropeCache(this.#lanes, shape, w.headNorm ? { eps } : null);
    const ops = await Promise.all([
      this.#op(norm, [hidden, w.inputLayernorm, normed], { role: "input_layernorm", layer }),
      ...w.qkvProj.map((p) => this.#linear(p, normed, qkv, { role: "qkv_proj", layer }, { stride: pad32(qkvWidth(shape)) })),
      this.#op(rope, [qkv, turns, w.headNorm ?? zeros, query, keys, values], { role: "rope_cache", layer }),
      this.#attention(shape, [query, keys, values, attended], layer),
      this.#linear(w.oProj, attended, hidden, { role: "o_proj", layer }, { stride: pad32(hiddenSize), residual: true }),
      this.#op(norm, [hidden, w.postAttentionLayernorm, normed], { role: "post_attention_layernorm", layer }),
      ...w.gateUpProj.map((p) =>
        this.#linear(p, normed, gateUp, { role: "gate_up_proj", layer }, { stride: pad32(2 * intermediateSize) }),
      ),
      this.#op(swiglu(intermediateSize), [gateUp, gated], { role: "swiglu", layer }),
      this.#linear(w.downProj, gated, hidden, { role: "down_proj", layer }, { stride: pad32(hiddenSize), residual: true }),
    ]);
    return ops;
  }

  async #buildHead(): Promise<Op[]> {
    const { hiddenSize, rmsNormEps, vocabSize } = this.#config;
    const { hidden, normed, logits } = this.#scratch.buffers;
    const norm = rmsnorm(this.#lanes, hiddenSize, rmsNormEps, true);
    return Promise.all([
      this.#op(norm, [hidden, this.#weights.norm, normed], { role: "norm", layer: null }),
      this.#linear(this.#weights.lmHead, normed, logits, { role: "lm_head", layer: null }, { stride: vocabSize }),
    ]);
  }

  async #buildAnswers(): Promise<void> {
    const { vocabSize } = this.#config;
    const { logits, cutoff, partials, answers, reports, canvas, suppress: list, biases, tops } = this.#scratch.buffers;
    const geometry = statsGeometry(this.#gpu.profile, vocabSize);
    const at = (role: string): Place => ({ role, layer: null });
    const stats = (filtered: boolean) =>
      this.#op(rowStats(geometry, vocabSize, filtered), [logits, cutoff, partials], at("row_stats"));
    const [penalizeOp, biasOp, topsOp, suppressOp, guideOp, allStats, filteredStats, answerOp, cutoffOp, revealOp] =
      await Promise.all([
        this.#op(penalize(this.#gpu.profile, vocabSize), [canvas, logits], at("penalize")),
        this.#op(bias(vocabSize, 1), [biases, logits], at("bias")),
        this.#op(topTokens(this.#gpu.profile, vocabSize), [logits, answers, tops], at("top_tokens")),
        this.#op(suppress(vocabSize, 1), [list, logits], at("suppress")),
        this.#op(guide(vocabSize), [logits], at("guide")),
        stats(false),
        stats(true),
        this.#op(rowAnswer(geometry, vocabSize), [partials, logits, answers], at("row_answer")),
        this.#op(sampleCutoff(this.#lanes, vocabSize), [logits, cutoff], at("sample_cutoff")),
        this.#op(
          reveal(this.#gpu.profile, revealCapacity(this.#scratch.capacity.rows)),
          [answers, canvas, reports],
          at("reveal"),
        ),
      ]);
    const sized =
      (op: Op, kernelOf: (ids: number) => Kernel) =>
      (ids: number): Op =>
      (extent, planOffset) => {
        const kernel = kernelOf(ids);
        return { ...op(extent, planOffset), ...kernel.work(extent), grid: kernel.grid(extent) };
      };
    this.#suppress = sized(suppressOp, (ids) => suppress(vocabSize, ids));
    this.#bias = sized(biasOp, (ids) => bias(vocabSize, ids));
    this.#penalize = [penalizeOp];
    this.#tops = [topsOp];
    this.#guide = [guideOp];
    this.#stats = [allStats, answerOp];
    this.#filteredStats = [cutoffOp, filteredStats, answerOp];
    this.#reveal = [revealOp];
  }

  /** Attention, and beside it the variant for rows that see what lies apart. */
  async #attention(shape: AttentionShape, buffers: readonly GPUBuffer[], layer: number): Promise<Op> {
    const place = { role: "attention", layer };
    const [plain, sparse] = await Promise.all([
      this.#op(attention(this.#lanes, shape), buffers, place),
      this.#op(attention(this.#lanes, shape, true), buffers, place),
    ]);
    return (extent, planOffset) => (extent.sparse ? sparse : plain)(extent, planOffset);
  }

  /** A linear layer: the kernel is chosen by the rows of the pass, and the choice is the same within a class of rows. */
  async #linear(
    w: LinearWeights,
    input: GPUBuffer,
    output: GPUBuffer,
    place: Place,
    { stride, residual = false }: { stride: number; residual?: boolean },
  ): Promise<Op> {
    const { profile, tuning } = this.#gpu;
    const shape = { ...w, outStride: stride, bias: w.bias !== null, residual };
    const bound = [w.words, w.scales, input, output, w.bias ?? this.#scratch.buffers.zeros];
    const chosen = ROW_CLASSES.map((rows) => [rows, chooseLinear(profile, tuning, { ...w, rows })] as const);
    const compiled = new Map(
      await Promise.all(
        [...new Set(chosen.map(([, variant]) => variant))].map(
          async (variant) => [variant, await this.#op(linear(variant, shape), bound, place)] as const,
        ),
      ),
    );
    const ops = new Map(chosen.map(([rows, variant]) => [rows, compiled.get(variant) as Op]));
    return (extent, planOffset) => (ops.get(rowClass(extent.rows)) as Op)(extent, planOffset);
  }

  async #op(kernel: Kernel, buffers: readonly GPUBuffer[], { role, layer }: Place): Promise<Op> {
    const { device, pipelines } = this.#gpu;
    const pipeline = await pipelines.get(kernel.name, codeOf(kernel), kernel.bindings, true);
    const bindGroup = device.createBindGroup({
      label: `${role}${layer === null ? "" : ` ${layer}`}`,
      layout: pipelines.groupLayout(kernel.bindings),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const { name, variant } = kernel;
    return (extent, planOffset) => ({
      kernel: name,
      variant,
      role,
      layer,
      shape: kernel.shape(extent),
      grid: kernel.grid(extent),
      ...kernel.work(extent),
      pipeline,
      bindGroup,
      planOffset,
    });
  }
}
