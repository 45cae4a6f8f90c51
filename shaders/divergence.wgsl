// How far each row's distribution has moved from the one that was kept for it, KL(p || q) = Σ p (log p - log q) in nats, and keeps this one in its place.
// Dispatch: (1, T) workgroups of WIDTH invocations, one a row. Bindings: 0 logits f32 [T, VOCAB], 1 kept f32 [slots, VOCAB + 1], the last of each
// log Σ exp, 2 answers; plan (first, kept of each row; a row that keeps nothing is left out). Accumulates in f32. FLOPs ~5·T·VOCAB; bytes 12·T·VOCAB.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> kept: array<f32>;
@group(0) @binding(2) var<storage, read_write> answers: array<Answer>;

const SUPPRESSED: f32 = -1e29;
const NOTHING_KEPT: u32 = 0xffffffffu;

var<workgroup> sums: array<f32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = plan.first + group.y;
  let slot = plan.row[group.y].kept;
  let keeps = slot != NOTHING_KEPT;
  let base = select(0u, slot * (VOCAB + 1u), keeps);
  let log_sum = answers[at].logit - answers[at].log_probability;
  let log_sum_before = kept[base + VOCAB];
  var sum = 0.0;
  if (keeps) {
    for (var v = lane; v < VOCAB; v += WIDTH) {
      let value = logits[group.y * VOCAB + v];
      let log_p = value - log_sum;
      if (value > SUPPRESSED) {
        sum += exp(log_p) * (log_p - (kept[base + v] - log_sum_before));
      }
      kept[base + v] = value;
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u && keeps) {
    for (var i = 1u; i < WIDTH; i++) {
      sum += sums[i];
    }
    answers[at].divergence = sum;
    kept[base + VOCAB] = log_sum;
  }
}
