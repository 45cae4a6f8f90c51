// Where a linear layer's outputs go: output[row, OUT_OFFSET + column], plus the bias, plus what is already there (residual).
// Gated, the plane's columns are gates and ups by turns of 32, and what is stored is silu(gate) · up (Shazeer 2020): half as many outputs, no bias.
const OUT: u32 = 64;          // columns of the plane without padding; gated, of gates and ups together
const OUT_OFFSET: u32 = 0;    // first output column
const OUT_STRIDE: u32 = 64;   // output row length
const BIAS: bool = false;     // add bias[column]
const RESIDUAL: bool = false; // add to what the output holds
const GATED: bool = false;    // store silu(gate) · up

@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;

fn store(row: u32, column: u32, value: f32) {
  if (row >= plan.rows || column >= OUT) {
    return;
  }
  let at = row * OUT_STRIDE + OUT_OFFSET + column;
  var sum = value;
  if (BIAS) {
    sum += bias[column];
  }
  if (RESIDUAL) {
    sum += output[at];
  }
  output[at] = sum;
}

// Column number i of those in even turns of 32: 0 … 31, 64 … 95, …
fn pair_column(i: u32) -> u32 {
  return i / 32u * 64u + i % 32u;
}

// Stores columns `column` and `column` + 32 of the plane, `column` being in an even turn of 32: gated, a gate and its up. Every kernel stores in pairs.
fn store_pair(row: u32, column: u32, first: f32, second: f32) {
  if (GATED) {
    let feature = column / 64u * 32u + column % 32u;
    if (row < plan.rows && feature < OUT / 2u) {
      output[row * OUT_STRIDE + OUT_OFFSET + feature] = first / (1.0 + exp(-max(first, -80.0))) * second;
    }
    return;
  }
  store(row, column, first);
  store(row, column + 32u, second);
}
