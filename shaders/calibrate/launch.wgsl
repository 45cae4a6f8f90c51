// The cost of a dispatch: one invocation adds one to a counter, so that every dispatch waits for the one before it.
//
// Dispatch: one workgroup of one invocation.
// Bindings: counter u32 [1].

@group(0) @binding(0) var<storage, read_write> counter: array<u32>;

@compute @workgroup_size(1)
fn main() {
  counter[0] += 1u;
}
