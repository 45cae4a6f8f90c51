// Token embedding: output[t, k] = weight[canvas[place_t], k], dequantised. A table too large for a binding lies in shards of the vocabulary: each writes
// the rows of its own tokens.
// Dispatch: (⌈WIDE / 8·WIDTH⌉, T) workgroups of WIDTH invocations, one an octet of the hidden vector.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*, one column a token), 2 canvas u32 [positions], 3 output f32 [T, WIDE]; plan.
// No arithmetic but the scaling; bytes: one weight column and one output row a token.
const WIDE: u32 = 64;   // hidden size, padded to 32
const WIDTH: u32 = 16;  // invocations a workgroup
const FIRST: u32 = 0;   // first token of the shard
const TOKENS: u32 = 64; // tokens of the shard

@group(0) @binding(2) var<storage, read> canvas: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4f>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let octet = id.x;
  if (octet >= WIDE / 8u) {
    return;
  }
  let token = canvas[plan.row[id.y].place] - FIRST;
  if (token >= TOKENS) { // one before the shard wraps round and is large too
    return;
  }
  let value = scaled(octet_of(octet, token), scale_of(octet / 4u, token));
  output[id.y * (WIDE / 4u) + octet * 2u] = value.low;
  output[id.y * (WIDE / 4u) + octet * 2u + 1u] = value.high;
}
