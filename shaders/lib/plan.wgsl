// The plan of the current pass: its rows and how its distributions are sampled and revealed. Group 1, one dynamic offset a pass.
// A row is one token at one place; for the head's passes `source` names the hidden row to read and `goal` the place it answers.
struct Row {
  place: u32,      // canvas index of the token
  position: u32,   // rotary position
  slot: u32,       // cache row where K and V are written
  start: u32,      // attends to cache rows [start, limit), those of [hole_start, hole_limit) left out
  limit: u32,
  source: u32,     // hidden row that the head reads
  goal: u32,       // canvas index that the distribution answers
  probe: u32,      // id whose log-probability is wanted, 0xffffffff for none
  hole_start: u32,
  hole_limit: u32,
  draw: u32,       // counter of random draws, different for every forward
  key: u32,        // what tells this row's draws from those of the forward's other rows
  past_start: u32, // the sequence's tokens, for penalties: canvas places [past_start, past_limit), the answer's from past_answer on
  past_answer: u32,
  past_limit: u32,
  kept: u32,       // where the row's logits are kept for the next pass, 0xffffffff for nowhere
}

struct Plan {
  rows: u32,
  first: u32,       // result row of this pass's first answer
  mask_id: u32,
  seed: u32,
  temperature: f32, // 0 is greedy
  top_k: u32,       // 0 is off
  top_p: f32,       // 1 is off
  min_p: f32,       // 0 is off
  tempered: u32,    // 1: confidence under the tempered, filtered distribution; 0: under the raw one
  metric: u32,      // 0 confidence, 1 entropy, 2 margin, 3 random
  rule: u32,        // reveal.wgsl
  count: u32,
  bound: f32,
  strict: u32,
  suppressed: u32,  // ids in the suppress list
  guidance: f32,    // scale of classifier-free guidance
  twin: u32,        // what is revealed at a place is revealed this many places later too; 0 is nowhere
  report: u32,      // number of this reveal among those of the submit that report
  reports: u32,     // 1: what is revealed is reported
  repetition: f32,  // penalties, 1 and 0 are off
  presence: f32,
  frequency: f32,
  biased: u32,      // ids in the bias list
  tops: u32,        // most probable tokens wanted of each answer
  guard_start: u32, // nothing is revealed while a place of [guard_start, guard_limit) holds the mask
  guard_limit: u32,
  row: array<Row>,
}

@group(1) @binding(0) var<storage, read> plan: Plan;
