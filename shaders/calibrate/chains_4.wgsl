// 4 chains, 1/32 apart at the start, 16 multiply-adds each a turn: enough to hide their latency and the loop's cost. Part of fma.wgsl.

fn run(seed: Value, c: Value, steps: u32) -> Value {
  var a = seed;
  var b = seed + 0.03125;
  var d = seed + 0.0625;
  var e = seed + 0.09375;
  for (var i = 0u; i < steps; i++) {
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
    a = fma(a, a, c); b = fma(b, b, c); d = fma(d, d, c); e = fma(e, e, c);
  }
  return (a + b) + (d + e);
}
