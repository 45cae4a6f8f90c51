// Attention of many queries, for GPUs: output[t, h] = Σ_s softmax_s(query[t, h] · key[s] / √E) · value[s] over the visible interval of row t without its hole.
// Dispatch: (⌈T·GROUP / 32⌉, K) workgroups of 64 invocations: 32 (row, head) pairs of a key/value head share what is staged, KEYS keys or values at a time.
// Eight by eight invocations. Scores: four pairs × KEYS / 8 keys each. Sums: the same four pairs × E / 8 dimensions. Weights go through workgroup memory.
// A workgroup walks from the first to the last key that any of its rows sees; causal and block-causal passes stop there.
// Bindings: 0 query (lib/query_plain), 1 keys and 2 values (lib/cache_*), 3 output f32 [T, OUT_STRIDE]; plan. Softmax and sums in f32.
// FLOPs 4·E·H·Σ visible; bytes: visible K and V once, query and output once. An empty interval gives 0.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E, even
const PACKS: u32 = 1;         // capacity of query in packs of four pairs
const SLOTS: u32 = 1;         // capacity of the cache in rows
const OUT_STRIDE: u32 = 64;   // row length of output
const KEYS: u32 = 16;         // keys at a time, 16 or 32

@group(0) @binding(3) var<storage, read_write> output: array<f32>;

const GROUP: u32 = HEADS / KV_HEADS;
const HALF: u32 = HEAD_DIM / 2u;
const QUADS: u32 = (HALF + 1u) / 2u; // dimensions 2j, 2j + 1 and those half a head behind them: four at a time
const OWN: u32 = (QUADS + 7u) / 8u;  // of which an invocation sums so many

var<workgroup> lowest: atomic<u32>;
var<workgroup> highest: atomic<u32>;
var<workgroup> bounds: vec2u;
var<workgroup> shared4: array<vec4f, 64>;       // peaks, then totals, of four pairs
var<workgroup> weights: array<vec4f, KEYS * 8>; // [key][four pairs]

// Keys lie side by side for each four dimensions, as eight neighbours read them; values the other way round.
fn stage_keys(head: u32, base: u32, last: u32, lane: u32) {
  for (var i = lane; i < KEYS * QUADS; i += 64u) {
    stage(i, key4(head, i / KEYS, min(base + i % KEYS, last)));
  }
}

fn stage_values(head: u32, base: u32, last: u32, lane: u32) {
  for (var i = lane; i < KEYS * QUADS; i += 64u) {
    let slot = min(base + i / QUADS, last);
    let even = value2(head, 2u * (i % QUADS), slot);
    let odd = value2(head, 2u * (i % QUADS) + 1u, slot);
    stage(i, vec4f(even.x, odd.x, even.y, odd.y));
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let four = lane / 8u;
  let column = lane % 8u;
  let pack = group.x * 8u + four;
  // Behind the last pack there is none: it is computed and not stored.
  let own_query = head * PACKS + min(pack, PACKS - 1u);
  let seen = seen_by(pack);
  if (lane == 0u) {
    atomicStore(&lowest, 0xffffffffu);
    atomicStore(&highest, 0u);
  }
  workgroupBarrier();
  if (column == 0u) {
    atomicMin(&lowest, first_of(seen));
    atomicMax(&highest, end_of(seen));
  }
  workgroupBarrier();
  if (lane == 0u) {
    bounds = vec2u(atomicLoad(&lowest), atomicLoad(&highest));
  }
  let walk = workgroupUniformLoad(&bounds);
  var peak = vec4f(NOTHING);
  var total = vec4f(0.0);
  var sums: array<mat4x4f, OWN>; // a column for each of the four pairs
  for (var base = walk.x; base < walk.y; base += KEYS) {
    workgroupBarrier();
    stage_keys(head, base, walk.y - 1u, lane);
    workgroupBarrier();
    var s0 = vec4f(0.0);
    var s1 = vec4f(0.0);
    var s2 = vec4f(0.0);
    var s3 = vec4f(0.0);
    for (var j = 0u; j < QUADS; j++) {
      let q = queries(own_query, j, 0u);
      let at = j * KEYS + column;
      s0 = dot4(s0, q, staged(at));
      s1 = dot4(s1, q, staged(at + 8u));
      if (KEYS > 16u) {
        s2 = dot4(s2, q, staged(at + 16u));
        s3 = dot4(s3, q, staged(at + 24u));
      }
    }
    let key = base + column;
    s0 = visible(s0, key, seen);
    s1 = visible(s1, key + 8u, seen);
    var highest_own = max(s0, s1);
    if (KEYS > 16u) {
      s2 = visible(s2, key + 16u, seen);
      s3 = visible(s3, key + 24u, seen);
      highest_own = max(highest_own, max(s2, s3));
    }
    shared4[lane] = highest_own;
    workgroupBarrier();
    var higher = peak;
    for (var i = 0u; i < 8u; i++) {
      higher = max(higher, shared4[four * 8u + i]);
    }
    let fade = exp2(peak - higher);
    peak = higher;
    s0 = weight_of(s0, peak);
    s1 = weight_of(s1, peak);
    weights[column * 8u + four] = s0;
    weights[(column + 8u) * 8u + four] = s1;
    total = fma(total, fade, s0 + s1);
    if (KEYS > 16u) {
      s2 = weight_of(s2, peak);
      s3 = weight_of(s3, peak);
      weights[(column + 16u) * 8u + four] = s2;
      weights[(column + 24u) * 8u + four] = s3;
      total += s2 + s3;
    }
    stage_values(head, base, walk.y - 1u, lane);
    for (var i = 0u; i < OWN; i++) {
      sums[i] = mat4x4f(sums[i][0] * fade.x, sums[i][1] * fade.y, sums[i][2] * fade.z, sums[i][3] * fade.w);
    }
    workgroupBarrier();
    for (var k = 0u; k < KEYS; k++) {
      let p = weights[k * 8u + four];
      for (var i = 0u; i < OWN; i++) {
        let v = staged(k * QUADS + min(column + 8u * i, QUADS - 1u));
        sums[i][0] = fma(vec4f(p.x), v, sums[i][0]);
        sums[i][1] = fma(vec4f(p.y), v, sums[i][1]);
        sums[i][2] = fma(vec4f(p.z), v, sums[i][2]);
        sums[i][3] = fma(vec4f(p.w), v, sums[i][3]);
      }
    }
  }
  workgroupBarrier();
  shared4[lane] = total;
  workgroupBarrier();
  var whole = vec4f(0.0);
  for (var i = 0u; i < 8u; i++) {
    whole += shared4[four * 8u + i];
  }
  let norm = select(1.0 / whole, vec4f(0.0), whole == vec4f(0.0));
  for (var p = 0u; p < 4u; p++) {
    let pair = pack * 4u + p;
    let row = pair / GROUP;
    let at = row * OUT_STRIDE + (head * GROUP + pair % GROUP) * HEAD_DIM;
    for (var i = 0u; i < OWN; i++) {
      let j = column + 8u * i;
      let sum = sums[i][p] * norm[p];
      if (row < plan.rows && j < QUADS) {
        output[at + 2u * j] = sum.x;
        output[at + 2u * j + HALF] = sum.z;
        if (2u * j + 1u < HALF) {
          output[at + 2u * j + 1u] = sum.y;
          output[at + 2u * j + 1u + HALF] = sum.w;
        }
      }
    }
  }
}
