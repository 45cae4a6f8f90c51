// Matrix product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters with wide lanes (lavapipe).
// Dispatch: (⌈T / 8⌉, ⌈OUT / 64⌉) workgroups of 16 invocations; an invocation owns 8 rows × 4 neighbouring columns.
// Bindings: 0 weight_words, 1 weight_scales (lib/quads_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// A load of weights serves 8 rows, a load of inputs eight places (lib/inputs_eight): where a lane's load is a gather, loads bind.
// Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once. Workgroup memory only where gates meet ups, at the end.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<f32>;

var<workgroup> ups: array<vec4f, 8>;

// sum + Σ_k a[k] · w[k], w[k] being four columns at input k.
fn add(sum: vec4f, a: vec4f, w: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), w[3], fma(vec4f(a.z), w[2], fma(vec4f(a.y), w[1], fma(vec4f(a.x), w[0], sum))));
}

// Columns 32 apart are a pair of the store (lib/linear_store): lanes 8 apart own them.
fn store4(row: u32, column: u32, lane: u32, sum: vec4f) {
  if (GATED) {
    workgroupBarrier();
    if (lane >= 8u) {
      ups[lane - 8u] = sum;
    }
    workgroupBarrier();
    if (lane < 8u) {
      let up = ups[lane];
      store_pair(row, column, sum.x, up.x);
      store_pair(row, column + 1u, sum.y, up.y);
      store_pair(row, column + 2u, sum.z, up.z);
      store_pair(row, column + 3u, sum.w, up.w);
    }
  } else {
    store(row, column, sum.x);
    store(row, column + 1u, sum.y);
    store(row, column + 2u, sum.z);
    store(row, column + 3u, sum.w);
  }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) place: u32) {
  let column = group.y * 64u + lane * 4u;
  let row = group.x * 8u;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let r0 = min(row + 0u, last) * IN;
  let r1 = min(row + 1u, last) * IN;
  let r2 = min(row + 2u, last) * IN;
  let r3 = min(row + 3u, last) * IN;
  let r4 = min(row + 4u, last) * IN;
  let r5 = min(row + 5u, last) * IN;
  let r6 = min(row + 6u, last) * IN;
  let r7 = min(row + 7u, last) * IN;
  var s0 = vec4f(0.0); var s1 = vec4f(0.0); var s2 = vec4f(0.0); var s3 = vec4f(0.0);
  var s4 = vec4f(0.0); var s5 = vec4f(0.0); var s6 = vec4f(0.0); var s7 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    let scale = quad_scale(block, column / 4u);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let k = octet * 8u;
      let words = quad_words(octet, column / 4u);
      let low = quad_low(words, scale);
      let high = quad_high(words, scale);
      let a0 = inputs_of(r0 + k, place);
      s0 = add(add(s0, a0.low, low), a0.high, high);
      let a1 = inputs_of(r1 + k, place);
      s1 = add(add(s1, a1.low, low), a1.high, high);
      let a2 = inputs_of(r2 + k, place);
      s2 = add(add(s2, a2.low, low), a2.high, high);
      let a3 = inputs_of(r3 + k, place);
      s3 = add(add(s3, a3.low, low), a3.high, high);
      let a4 = inputs_of(r4 + k, place);
      s4 = add(add(s4, a4.low, low), a4.high, high);
      let a5 = inputs_of(r5 + k, place);
      s5 = add(add(s5, a5.low, low), a5.high, high);
      let a6 = inputs_of(r6 + k, place);
      s6 = add(add(s6, a6.low, low), a6.high, high);
      let a7 = inputs_of(r7 + k, place);
      s7 = add(add(s7, a7.low, low), a7.high, high);
    }
  }
  store4(row + 0u, column, lane, s0);
  store4(row + 1u, column, lane, s1);
  store4(row + 2u, column, lane, s2);
  store4(row + 3u, column, lane, s3);
  store4(row + 4u, column, lane, s4);
  store4(row + 5u, column, lane, s5);
  store4(row + 6u, column, lane, s6);
  store4(row + 7u, column, lane, s7);
}
