// Copy rate: to[i] = from[i] for `steps` rounds of four words an invocation, neighbours copying neighbouring words.
//
// Dispatch: `stride` invocations.
// Bindings: params; from Word [section]; to Word [section].
// Parts: word_*.wgsl (what one load and store take).
// Bytes a step: 2 × 4 × size of Word an invocation, read and written.

const WORKGROUP: u32 = 64; // invocations

struct Params {
  steps: u32,
  stride: u32,
  section: u32, // words, a power of two
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<Word>;
@group(0) @binding(2) var<storage, read_write> target_words: array<Word>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let mask = params.section - 1u;
  let stride = params.stride;
  var index = id.x;
  for (var i = 0u; i < params.steps; i++) {
    let a = index & mask;
    let b = (index + stride) & mask;
    let c = (index + 2u * stride) & mask;
    let d = (index + 3u * stride) & mask;
    target_words[a] = source[a];
    target_words[b] = source[b];
    target_words[c] = source[c];
    target_words[d] = source[d];
    index += 4u * stride;
  }
}
