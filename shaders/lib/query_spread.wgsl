// Queries f32 [K, PACKS, E, 4], four (row, head) pairs side by side: four lanes load one each and spread them, a quarter of the loads.
@group(0) @binding(0) var<storage, read> query: array<f32>;

fn query_of(pack: u32, dim: u32, lane: u32) -> vec4f {
  return spread(query[(pack * HEAD_DIM + dim) * 4u + lane % 4u]);
}
