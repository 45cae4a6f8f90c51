// Reveals: of the answers whose place still holds the mask, takes those that the rule allows and writes their tokens into the canvas.
// Ranks by score (the earlier place if equal), by counting; the rule then decides how long a prefix of that order is taken (at least one).
// Dispatch: one workgroup of WIDTH invocations. Bindings: 0 answers, 1 canvas u32, 2 reports, 3 taken u32 [reveals of the submit]; plan (rows = number of
// answers, first, rule, count, bound, strict, guard, report, reports). Revealed answers are reported best first, behind those of the submit's reveals before,
// and taken[report] tells their number.
// Rules: 0 none · 1 all · 2 count best · 3 confidence ≥ (or >) bound · 4 factor: (n + 1)(1 - c_n) < bound for every rank n ≥ 2 · 5 entropy bound:
// Σ H - max H ≤ bound (EB-sampler) · 6 all above bound if these are at least `count`, else the `count` best (SDAR) · 7 the `count` leftmost.
const WIDTH: u32 = 16;     // invocations
const CAPACITY: u32 = 512; // answers that can be ranked

@group(0) @binding(0) var<storage, read_write> answers: array<Answer>;
@group(0) @binding(1) var<storage, read_write> canvas: array<u32>;
@group(0) @binding(2) var<storage, read_write> reports: array<Report>;
@group(0) @binding(3) var<storage, read_write> taken_of: array<u32>;

struct Report {
  goal: u32,
  id: u32,
  logit: f32,
  doubt: f32,
  entropy: f32,
  margin: f32,
  score: f32,
  log_probability: f32,
}

var<workgroup> order: array<u32, CAPACITY>; // answer of each rank
var<workgroup> masked: atomic<u32>;
var<workgroup> taken: u32;
var<workgroup> behind: u32; // reports of the submit before

fn open(i: u32) -> bool {
  return canvas[answers[plan.first + i].goal] == plan.mask_id;
}

fn guarded() -> bool {
  for (var place = plan.guard_start; place < plan.guard_limit; place++) {
    if (canvas[place] == plan.mask_id) {
      return true;
    }
  }
  return false;
}

fn before(i: u32, j: u32) -> bool {
  let a = answers[plan.first + i];
  let b = answers[plan.first + j];
  if (plan.rule == 7u || a.score == b.score) {
    return a.goal < b.goal;
  }
  return a.score > b.score;
}

fn confident(rank: u32) -> bool {
  let confidence = 1.0 / (1.0 + answers[plan.first + order[rank]].doubt);
  return confidence > plan.bound || (plan.strict == 0u && confidence == plan.bound);
}

fn above_bound(candidates: u32) -> u32 {
  var n = 0u;
  while (n < candidates && confident(n)) {
    n++;
  }
  return n;
}

fn within_factor(candidates: u32) -> u32 {
  var n = 1u;
  while (n < candidates) {
    let doubt = answers[plan.first + order[n]].doubt;
    if (f32(n + 2u) * doubt / (1.0 + doubt) >= plan.bound) {
      break;
    }
    n++;
  }
  return n;
}

fn within_entropy(candidates: u32) -> u32 {
  var n = 0u;
  var sum = 0.0;
  var peak = 0.0;
  while (n < candidates) {
    let entropy = answers[plan.first + order[n]].entropy;
    sum += entropy;
    peak = max(peak, entropy);
    if (sum - peak > plan.bound) {
      break;
    }
    n++;
  }
  return n;
}

fn prefix(candidates: u32) -> u32 {
  var n = candidates;
  switch (plan.rule) {
    case 0u: { return 0u; }
    case 1u: { return candidates; }
    case 3u: { n = above_bound(candidates); }
    case 4u: { n = within_factor(candidates); }
    case 5u: { n = within_entropy(candidates); }
    case 6u: {
      n = above_bound(candidates);
      n = select(plan.count, n, n >= plan.count);
    }
    default: { return min(plan.count, candidates); }
  }
  return min(max(n, 1u), candidates);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < plan.rows; i += WIDTH) {
    if (!open(i)) {
      continue;
    }
    var rank = 0u;
    for (var j = 0u; j < plan.rows; j++) {
      if (j != i && open(j) && before(j, i)) {
        rank++;
      }
    }
    order[rank] = i;
    atomicAdd(&masked, 1u);
  }
  workgroupBarrier();
  if (lane == 0u) {
    taken = 0u;
    if (!guarded()) {
      taken = prefix(atomicLoad(&masked));
    }
    if (plan.reports > 0u) {
      for (var r = 0u; r < plan.report; r++) {
        behind += taken_of[r];
      }
      taken_of[plan.report] = taken;
    }
  }
  workgroupBarrier();
  for (var rank = lane; rank < taken; rank += WIDTH) {
    let i = plan.first + order[rank];
    canvas[answers[i].goal] = answers[i].id;
    if (plan.twin > 0u) {
      canvas[answers[i].goal + plan.twin] = answers[i].id;
    }
    answers[i].revealed = 1u;
    if (plan.reports > 0u) {
      let a = answers[i];
      reports[behind + rank] = Report(a.goal, a.id, a.logit, a.doubt, a.entropy, a.margin, a.score, a.log_probability);
    }
  }
}
