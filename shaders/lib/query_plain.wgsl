// Queries f32 [K, PACKS, E, 4], four (row, head) pairs side by side: every lane loads the four that it needs.
@group(0) @binding(0) var<storage, read> query: array<vec4f>;

fn query_of(pack: u32, dim: u32, lane: u32) -> vec4f {
  return query[pack * HEAD_DIM + dim];
}
