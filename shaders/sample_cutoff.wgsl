// The least logit that top-k, then top-p, then min-p keep: cutoff[t]. Ties at a bound are kept. Tempered probabilities, softmax(logits / T).
// A bound is found by bisection over the order-preserving integer image of f32, 32 reductions in a fixed order: no sort, no float atomics.
// Dispatch: (1, T) workgroups of LANES invocations, one a row. Bindings: 0 logits f32 [T, VOCAB], 1 cutoff f32 [T]; plan.
// FLOPs ~5·T·VOCAB a reduction; bytes: logits once (they stay in cache).
const VOCAB: u32 = 64;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> cutoff: array<f32>;

const NOTHING: f32 = -1e30;

fn image(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn preimage(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u));
}

// How many logits (or how much of the tempered mass) have an image of at least `key`.
fn measure(offset: u32, lane: u32, key: u32, peak: f32, mass: bool) -> f32 {
  var sum = 0.0;
  for (var v = lane; v < VOCAB; v += LANES) {
    let value = logits[offset + v];
    if (image(value) >= key && value > NOTHING) {
      sum += select(1.0, exp((value - peak) / plan.temperature), mass);
    }
  }
  return lane_sum(sum);
}

// The greatest key whose measure reaches `goal`.
fn bisect(offset: u32, lane: u32, peak: f32, mass: bool, goal: f32) -> u32 {
  var low = 0u;
  for (var bit = 0x80000000u; bit != 0u; bit = bit >> 1u) {
    if (measure(offset, lane, low | bit, peak, mass) >= goal) {
      low = low | bit;
    }
  }
  return low;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let offset = group.y * VOCAB;
  var peaks = NOTHING;
  for (var v = lane; v < VOCAB; v += LANES) {
    peaks = max(peaks, logits[offset + v]);
  }
  let peak = lane_max4(vec4f(peaks)).x;
  var key = 0u;
  if (plan.top_k > 0u && plan.top_k < VOCAB) {
    key = bisect(offset, lane, peak, false, f32(plan.top_k));
  }
  if (plan.top_p < 1.0) {
    let all = measure(offset, lane, key, peak, true);
    // Rounding may leave the sum over everything a hair below itself times top_p: the k bound stays.
    // A goal that underflows would be reached by keys beyond every number; the peak alone has mass 1.
    key = max(key, bisect(offset, lane, peak, true, max(all * plan.top_p, 1e-30)));
  }
  var least = preimage(key);
  if (key == 0u) {
    least = NOTHING;
  }
  if (plan.min_p > 0.0) {
    least = max(least, peak + plan.temperature * log(plan.min_p));
  }
  if (lane == 0u) {
    cutoff[group.y] = min(least, peak);
  }
}
