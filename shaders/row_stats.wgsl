// One online pass over a row of logits: winner, runner-up, Σ exp, entropy's moment, and the Gumbel winner of the tempered, filtered distribution.
// The sum without the winner is kept apart: confidence 1 / (1 + rest) saturates at 1 in f32, `rest` stays resolved to 1e-38.
// Dispatch: (⌈VOCAB / CHUNK⌉, T) workgroups of WIDTH invocations; each writes a partial of its own: no barrier.
// Bindings: 0 logits f32 [T, VOCAB], 1 cutoff f32 [T], 2 partials [T, ⌈VOCAB / CHUNK⌉ · WIDTH]; plan. FLOPs ~5·T·VOCAB; bytes: logits once.
const VOCAB: u32 = 64;
const CHUNK: u32 = 64;        // logits a workgroup
const WIDTH: u32 = 4;         // invocations a workgroup
const FILTERED: bool = false; // top-k, top-p or min-p is on: the cutoff holds

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> cutoff: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<Partial>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let end = min((group.x + 1u) * CHUNK, VOCAB);
  var p = empty();
  for (var v = group.x * CHUNK + lane; v < end; v += WIDTH) {
    let value = logits[row * VOCAB + v];
    if (value <= NOTHING) {
      continue;
    }
    if (value > p.peak) {
      let gap = p.peak - value;
      let fade = exp(gap);
      p.moment = (p.moment + (p.rest + 1.0) * gap) * fade;
      p.rest = (p.rest + 1.0) * fade;
      p.second = p.peak;
      p.peak = value;
      p.winner = v;
      if (plan.temperature > 0.0) {
        p.tempered *= exp(gap / plan.temperature);
      }
    } else {
      let share = exp(value - p.peak);
      p.rest += share;
      p.moment += share * (value - p.peak);
      p.second = max(p.second, value);
    }
    if (plan.temperature > 0.0 && (!FILTERED || value >= cutoff[row])) {
      p.tempered += exp((value - p.peak) / plan.temperature);
      let noised = value / plan.temperature + gumbel(random_bits(plan.seed, plan.row[row].draw, plan.row[row].key, v));
      if (noised > p.noised) {
        p.noised = noised;
        p.choice = v;
        p.choice_logit = value;
      }
    }
  }
  partials[(row * groups.x + group.x) * WIDTH + lane] = p;
}
