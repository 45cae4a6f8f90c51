// A tile of keys or values in workgroup memory, four dimensions at a time, f16: twice the keys fit, and what a cache of f16 holds is staged exactly.
var<workgroup> tile: array<vec2u, KEYS * QUADS>;

fn stage(at: u32, four: vec4f) {
  // Beyond the range of f16 `pack2x16float` may give anything.
  let near = clamp(four, vec4f(-65504.0), vec4f(65504.0));
  tile[at] = vec2u(pack2x16float(near.xy), pack2x16float(near.zw));
}

fn staged(at: u32) -> vec4f {
  return vec4f(unpack2x16float(tile[at].x), unpack2x16float(tile[at].y));
}
