// What is known of one distribution after the head: 48 bytes a row. All of them or the revealed ones alone cross to the host.
struct Answer {
  goal: u32,     // canvas index it answers
  id: u32,       // proposed token
  logit: f32,    // of that token, before noise and temperature
  doubt: f32,    // 1 / confidence - 1
  entropy: f32,  // of the raw distribution, nats
  margin: f32,   // probability of the winner minus that of the runner-up
  score: f32,    // ranking value, greater first
  revealed: u32, // set by reveal.wgsl
  log_probability: f32, // of the proposed token in the raw distribution, nats
  probe: f32,           // of the row's probe likewise, 0 where none is asked
  taken: u32,           // in the first report of a pass: answers that were revealed
  spare: u32,
}
