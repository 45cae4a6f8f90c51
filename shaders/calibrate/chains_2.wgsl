// 2 chains, 1/32 apart at the start, 16 multiply-adds each a turn: enough to hide their latency and the loop's cost. Part of fma.wgsl.

fn run(seed: Value, c: Value, steps: u32) -> Value {
  var a = seed;
  var b = seed + 0.03125;
  for (var i = 0u; i < steps; i++) {
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
    a = fma(a, a, c); b = fma(b, b, c);
  }
  return a + b;
}
