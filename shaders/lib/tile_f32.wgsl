// A tile of keys or values in workgroup memory, four dimensions at a time, f32.
var<workgroup> tile: array<vec4f, KEYS * QUADS>;

fn stage(at: u32, four: vec4f) {
  tile[at] = four;
}

fn staged(at: u32) -> vec4f {
  return tile[at];
}
