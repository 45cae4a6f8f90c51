// Peak rate of packed 8-bit dot products: every invocation runs eight recurrences x ← dot4I8(x, b) + c.
//
//   sums[i] = Σ over chains of x after steps × 16 dot products (wrapping), x₀ from the invocation's number
//
// The result is the next packed operand, so that steps cannot be reordered or composed; one dot product with accumulation each.
// Dispatch: one invocation per element of `sums`.
// Bindings: params; sums u32 [invocations].
// Precision: exact. Operations a step: 8 × 16 × 8 an invocation (4 multiplications and 4 additions each); bytes: 4 an invocation.

const WORKGROUP: u32 = 64; // invocations

struct Params {
  steps: u32,
  seed: u32,
  b: u32,
  c: i32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

fn advance(x: u32, b: u32, c: i32) -> u32 {
  return bitcast<u32>(dot4I8Packed(x, b) + c);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let b = params.b;
  let c = params.c;
  var p = params.seed + id.x;
  var q = (params.seed + id.x) * 3u;
  var r = (params.seed + id.x) * 5u;
  var s = (params.seed + id.x) * 7u;
  var t = (params.seed + id.x) * 9u;
  var u = (params.seed + id.x) * 11u;
  var v = (params.seed + id.x) * 13u;
  var w = (params.seed + id.x) * 15u;
  for (var i = 0u; i < params.steps; i++) {
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
    p = advance(p, b, c); q = advance(q, b, c); r = advance(r, b, c); s = advance(s, b, c);
    t = advance(t, b, c); u = advance(u, b, c); v = advance(v, b, c); w = advance(w, b, c);
  }
  sums[id.x] = ((p + q) + (r + s)) + ((t + u) + (v + w));
}
