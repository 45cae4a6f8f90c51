// The most probable tokens of each row with their log-probabilities, best first, the lower id first if equal: round after round over the row's logits.
// Dispatch: (1, T) workgroups of WIDTH invocations, one a row. Bindings: 0 logits f32 [T, VOCAB], 1 answers, 2 tops (id, bits of log-probability)
// [answers, MOST]; plan (first, tops). Where fewer tokens are left than asked for, the id is 0xffffffff. Loads: tops · VOCAB a row.
const VOCAB: u32 = 64;
const MOST: u32 = 20;  // room for each row
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> answers: array<Answer>;
@group(0) @binding(2) var<storage, read_write> tops: array<vec2u>;

const SUPPRESSED: f32 = -1e30;
const NO_ID: u32 = 0xffffffffu;

var<workgroup> values: array<f32, WIDTH>;
var<workgroup> ids: array<u32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = plan.first + group.y;
  let sum = answers[at].logit - answers[at].log_probability;
  var last = 0.0;
  var last_id = NO_ID;
  for (var rank = 0u; rank < plan.tops; rank++) {
    var best = SUPPRESSED;
    var best_id = NO_ID;
    for (var v = lane; v < VOCAB; v += WIDTH) {
      let value = logits[group.y * VOCAB + v];
      let left = rank == 0u || value < last || (value == last && v > last_id);
      if (left && value > best) {
        best = value;
        best_id = v;
      }
    }
    values[lane] = best;
    ids[lane] = best_id;
    workgroupBarrier();
    for (var i = 0u; i < WIDTH; i++) {
      if (values[i] > best || (values[i] == best && ids[i] < best_id)) {
        best = values[i];
        best_id = ids[i];
      }
    }
    workgroupBarrier();
    last = best;
    last_id = best_id;
    if (lane == 0u) {
      tops[at * MOST + rank] = vec2u(best_id, bitcast<u32>(best - sum));
    }
  }
}
