// What is known of one distribution after the head: 48 bytes a row. All of them cross to the host, or of the revealed ones alone 32 bytes (reveal.wgsl).
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
  divergence: f32,      // from the row that was kept before (divergence.wgsl), nats
  spare: u32,
}
