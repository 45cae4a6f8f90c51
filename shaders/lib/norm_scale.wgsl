// A linear layer's input normalised on the way (RMSNorm, Zhang & Sennrich 2019): Σ_k w[k] · gain[k] · x[k] / √(mean x² + EPS). The root is the same for
// every output of a row, so it waits until the sum is done, and the squares are summed beside the products: the input is read once, nothing is written.
// The input's padding must be zero.
const NORM_SIZE: u32 = 64;       // features, without padding
const NORM_EPS: f32 = 1e-5;      // from the model's config
const NORM_GATHER: bool = false; // read the plan's source rows (the head) instead of row t

fn input_row(row: u32) -> u32 {
  if (NORM_GATHER) {
    return plan.row[row].source;
  }
  return row;
}

fn row_scale(squares: f32) -> f32 {
  return inverseSqrt(squares / f32(NORM_SIZE) + NORM_EPS);
}
