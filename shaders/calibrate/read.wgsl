// Read rate, by working set: every invocation sums words, eight loads a step, neighbours reading neighbouring words.
//
//   sums[i] = Σ over steps t and streams s < 8 of words[((i·LANES_APART + t·stride) mod section) + s·section]
//
// The working set is 8 × section words. A large one measures memory, a small one the caches and how fast loads are issued; with
// LANES_APART = 0 all invocations load the same word. Every word counts, so that no load is dead.
// Dispatch: one invocation per element of `sums`.
// Bindings: params; words Word [8 × section]; sums u32 [invocations].
// Parts: word_*.wgsl (what one load takes).
// Precision: exact (wrapping). Bytes a step: 8 × size of Word an invocation.

const WORKGROUP: u32 = 64; // invocations
const LANES_APART: u32 = 1; // words between the loads of neighbours

struct Params {
  steps: u32,
  stride: u32,
  section: u32, // words, a power of two
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> words: array<Word>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let section = params.section;
  let mask = section - 1u;
  var index = id.x * LANES_APART;
  var sum = Word();
  for (var i = 0u; i < params.steps; i++) {
    let at = index & mask;
    sum += words[at];
    sum += words[at + section];
    sum += words[at + 2u * section];
    sum += words[at + 3u * section];
    sum += words[at + 4u * section];
    sum += words[at + 5u * section];
    sum += words[at + 6u * section];
    sum += words[at + 7u * section];
    index += params.stride;
  }
  sums[id.x] = fold_word(sum);
}
