// 8 chains, 1/32 apart at the start, 16 multiply-adds each a turn: enough to hide their latency and the loop's cost. Part of fma.wgsl.

fn run(seed: Value, c: Value, steps: u32) -> Value {
  var a = seed;
  var b = seed + 0.03125;
  var d = seed + 0.0625;
  var e = seed + 0.09375;
  var f = seed + 0.125;
  var g = seed + 0.15625;
  var h = seed + 0.1875;
  var k = seed + 0.21875;
  for (var i = 0u; i < steps; i++) {
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c); f = fma(f, f, c); g = fma(g, g, c); h = fma(h, h, c); k = fma(k, k, c);
  }
  return ((a + b) + (d + e)) + ((f + g) + (h + k));
}
