// Fills a buffer with words that no memory compresses: words[i] = hash(i).
//
// Dispatch: a grid of any size, walked in strides until `count` vectors are written.
// Bindings: params; words u32 [4 × count].
// Source: the finaliser of MurmurHash3 (public domain).

const WORKGROUP: u32 = 64; // invocations

struct Params {
  count: u32,
  stride: u32,
  unused_a: u32,
  unused_b: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> words: array<vec4<u32>>;

fn hash(i: vec4<u32>) -> vec4<u32> {
  var h = i;
  h = (h ^ (h >> vec4<u32>(16u))) * 0x85ebca6bu;
  h = (h ^ (h >> vec4<u32>(13u))) * 0xc2b2ae35u;
  return h ^ (h >> vec4<u32>(16u));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  for (var i = id.x; i < params.count; i += params.stride) {
    words[i] = hash(i * 4u + vec4<u32>(0u, 1u, 2u, 3u));
  }
}
