// Where a linear layer's outputs go: output[row, OUT_OFFSET + column], plus the bias, plus what is already there (residual).
const OUT: u32 = 64;          // output features
const OUT_OFFSET: u32 = 0;    // first output column
const OUT_STRIDE: u32 = 64;   // output row length
const BIAS: bool = false;     // add bias[column]
const RESIDUAL: bool = false; // add to what the output holds

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
