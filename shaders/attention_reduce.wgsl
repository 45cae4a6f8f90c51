// Joins the pieces that attention was split into: output[t, h] = Σ_p 2^(peak_p - peak) · sums_p / Σ_p 2^(peak_p - peak) · total_p.
// Dispatch: (H, T) workgroups of WIDTH invocations, one a head and row. Pieces without a visible key have total 0 and count nothing.
// Bindings: 0 pieces f32 [K, T·GROUP, PARTS, E + 2] (sums, peak, total), 1 output f32 [T, OUT_STRIDE]; plan.
// FLOPs none of the model's; bytes: each operand once. Accumulates f32, pieces in order: the same bits every time.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E
const PARTS: u32 = 2;         // pieces
const OUT_STRIDE: u32 = 64;   // row length of output
const WIDTH: u32 = 16;        // invocations a workgroup

@group(0) @binding(0) var<storage, read> pieces: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;

const GROUP: u32 = HEADS / KV_HEADS;
const PIECE: u32 = HEAD_DIM + 2u;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = group.y;
  let pair = row * GROUP + head % GROUP;
  let begin = ((head / GROUP) * plan.rows * GROUP + pair) * PARTS * PIECE;
  var peak = -1e30;
  for (var part = 0u; part < PARTS; part++) {
    peak = max(peak, pieces[begin + part * PIECE + HEAD_DIM]);
  }
  var total = 0.0;
  for (var part = 0u; part < PARTS; part++) {
    let at = begin + part * PIECE + HEAD_DIM;
    total = fma(pieces[at + 1u], exp2(pieces[at] - peak), total);
  }
  let norm = select(1.0 / total, 0.0, total == 0.0);
  for (var dim = lane; dim < HEAD_DIM; dim += WIDTH) {
    var sum = 0.0;
    for (var part = 0u; part < PARTS; part++) {
      let at = begin + part * PIECE;
      sum = fma(pieces[at + dim], exp2(pieces[at + HEAD_DIM] - peak), sum);
    }
    output[row * OUT_STRIDE + head * HEAD_DIM + dim] = sum * norm;
  }
}
