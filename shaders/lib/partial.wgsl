// What one pass over a piece of a row's logits knows, and how two pieces join. Everything is relative to the piece's own peak.
struct Partial {
  peak: f32,         // greatest logit
  winner: u32,       // its id, the lowest if equal
  second: f32,       // greatest of the others
  rest: f32,         // Σ exp(l - peak) without the winner; -1 for an empty piece
  moment: f32,       // Σ exp(l - peak) · (l - peak)
  tempered: f32,     // Σ exp((l - peak) / T) over what the cutoff keeps
  noised: f32,       // greatest l / T + gumbel over what the cutoff keeps
  choice: u32,       // its id
  choice_logit: f32,
  spare0: f32,
  spare1: f32,
  spare2: f32,
}

const NOTHING: f32 = -1e30;

fn empty() -> Partial {
  return Partial(NOTHING, 0xffffffffu, NOTHING, -1.0, 0.0, 0.0, NOTHING, 0xffffffffu, NOTHING, 0.0, 0.0, 0.0);
}

fn join(x: Partial, y: Partial, temperature: f32) -> Partial {
  var a = x;
  var b = y;
  if (y.peak > x.peak || (y.peak == x.peak && y.winner < x.winner)) {
    a = y;
    b = x;
  }
  let gap = b.peak - a.peak;
  let fade = exp(gap);
  a.second = max(a.second, b.peak);
  a.rest += (b.rest + 1.0) * fade;
  a.moment += (b.moment + (b.rest + 1.0) * gap) * fade;
  if (temperature > 0.0) {
    a.tempered += b.tempered * exp(gap / temperature);
    if (b.noised > a.noised || (b.noised == a.noised && b.choice < a.choice)) {
      a.noised = b.noised;
      a.choice = b.choice;
      a.choice_logit = b.choice_logit;
    }
  }
  return a;
}
