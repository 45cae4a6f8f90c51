// Four (row, head) pairs of a key/value head side by side: what they see, their scores and what these weigh. HEADS, GROUP and HALF are the kernel's.
const SPARSE: bool = false; // rows have holes, or see intervals that lie apart
const SCALE: f32 = 0.25503; // log2(e) / √E: exp2 is cheaper than exp

const NOTHING: f32 = -1e30;

// What four pairs see.
struct Seen {
  start: vec4u,
  limit: vec4u,
  hole_start: vec4u,
  hole_limit: vec4u,
}

fn seen_by(pack: u32) -> Seen {
  let rows = min((vec4u(0u, 1u, 2u, 3u) + pack * 4u) / GROUP, vec4u(plan.rows - 1u));
  var seen = Seen();
  seen.start = vec4u(plan.row[rows.x].start, plan.row[rows.y].start, plan.row[rows.z].start, plan.row[rows.w].start);
  seen.limit = vec4u(plan.row[rows.x].limit, plan.row[rows.y].limit, plan.row[rows.z].limit, plan.row[rows.w].limit);
  if (SPARSE) {
    seen.hole_start = vec4u(plan.row[rows.x].hole_start, plan.row[rows.y].hole_start, plan.row[rows.z].hole_start, plan.row[rows.w].hole_start);
    seen.hole_limit = vec4u(plan.row[rows.x].hole_limit, plan.row[rows.y].hole_limit, plan.row[rows.z].hole_limit, plan.row[rows.w].hole_limit);
  }
  return seen;
}

fn first_of(seen: Seen) -> u32 {
  return min(min(seen.start.x, seen.start.y), min(seen.start.z, seen.start.w));
}

fn end_of(seen: Seen) -> u32 {
  return max(max(seen.limit.x, seen.limit.y), max(seen.limit.z, seen.limit.w));
}

// Whether none of the keys [from, to) is seen.
fn unseen(seen: Seen, begin: u32, beyond: u32) -> bool {
  let outside = (seen.start >= vec4u(beyond)) | (seen.limit <= vec4u(begin));
  return all(outside | ((seen.hole_start <= vec4u(begin)) & (seen.hole_limit >= vec4u(beyond))));
}

fn visible(score: vec4f, key: u32, seen: Seen) -> vec4f {
  let plain = select(vec4f(NOTHING), score * SCALE, (vec4u(key) >= seen.start) & (vec4u(key) < seen.limit));
  if (!SPARSE) {
    return plain;
  }
  return select(plain, vec4f(NOTHING), (vec4u(key) >= seen.hole_start) & (vec4u(key) < seen.hole_limit));
}

fn weight_of(score: vec4f, peak: vec4f) -> vec4f {
  return select(exp2(score - peak), vec4f(0.0), score == vec4f(NOTHING));
}

// sum + four dimensions of four queries times those of a key.
fn dot4(sum: vec4f, q: mat4x4f, key: vec4f) -> vec4f {
  return fma(q[3], vec4f(key.w), fma(q[2], vec4f(key.z), fma(q[1], vec4f(key.y), fma(q[0], vec4f(key.x), sum))));
}

// The same four dimensions, of four queries; the last of an odd E/2 are two.
fn queries(pack: u32, j: u32, lane: u32) -> mat4x4f {
  let even = query_of(pack, 2u * j, lane);
  let high_even = query_of(pack, 2u * j + HALF, lane);
  var odd = query_of(pack, 2u * j + 1u, lane);
  var high_odd = query_of(pack, 2u * j + 1u + HALF, lane);
  if (HALF % 2u == 1u) {
    odd = select(vec4f(0.0), odd, 2u * j + 1u < HALF);
    high_odd = select(vec4f(0.0), high_odd, 2u * j + 1u < HALF);
  }
  return mat4x4f(even, odd, high_even, high_odd);
}
