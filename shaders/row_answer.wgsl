// Joins the partials of a row into its answer: proposed token, confidence, entropy, margin, ranking value and log-probabilities.
// Dispatch: (1, T) workgroups of WIDTH invocations, one a row. Bindings: 0 partials [T, PARTIALS], 1 logits f32 [T, VOCAB], 2 answers; plan (first = index of row 0's answer).
// Order of joining is fixed. Bytes: partials once.
const VOCAB: u32 = 64;
const PARTIALS: u32 = 4; // partials a row
const WIDTH: u32 = 4;    // invocations a workgroup

@group(0) @binding(0) var<storage, read> partials: array<Partial>;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> answers: array<Answer>;

var<workgroup> joined: array<Partial, WIDTH>;

fn answer_of(p: Partial, row: u32) -> Answer {
  let goal = plan.row[row].goal;
  var answer = Answer(goal, p.winner, p.peak, p.rest, 0.0, 0.0, 0.0, 0u, 0.0, 0.0, 0.0, 0u);
  let sum = 1.0 + p.rest;
  answer.entropy = log(sum) - p.moment / sum;
  answer.margin = (1.0 - exp(p.second - p.peak)) / sum;
  if (plan.temperature > 0.0) {
    answer.id = p.choice;
    answer.logit = p.choice_logit;
    let gap = p.peak - p.choice_logit;
    if (plan.tempered != 0u) {
      answer.doubt = max(p.tempered * exp(gap / plan.temperature) - 1.0, 0.0);
    } else if (p.choice != p.winner) {
      answer.doubt = sum * exp(gap) - 1.0;
    }
  }
  switch (plan.metric) {
    case 1u: { answer.score = -answer.entropy; }
    case 2u: { answer.score = answer.margin; }
    case 3u: { answer.score = f32(random_bits(plan.seed, plan.row[row].draw, plan.row[row].key, 0xffffffffu).x) * 2.3283064365386963e-10; }
    default: { answer.score = -answer.doubt; }
  }
  answer.log_probability = (answer.logit - p.peak) - log(sum);
  let probe = plan.row[row].probe;
  if (probe < VOCAB) {
    answer.probe = (logits[row * VOCAB + probe] - p.peak) - log(sum);
  }
  return answer;
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  var p = empty();
  for (var i = lane; i < PARTIALS; i += WIDTH) {
    p = join(p, partials[row * PARTIALS + i], plan.temperature);
  }
  joined[lane] = p;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < WIDTH; i++) {
      p = join(p, joined[i], plan.temperature);
    }
    answers[plan.first + row] = answer_of(p, row);
  }
}
