// Eight columns of an invocation, WIDTH apart: their weights, and where their outputs go.
fn store8(row: u32, column: u32, near: vec4f, far: vec4f) {
  store(row, column, near.x);
  store(row, column + WIDTH, near.y);
  store(row, column + 2u * WIDTH, near.z);
  store(row, column + 3u * WIDTH, near.w);
  store(row, column + 4u * WIDTH, far.x);
  store(row, column + 5u * WIDTH, far.y);
  store(row, column + 6u * WIDTH, far.z);
  store(row, column + 7u * WIDTH, far.w);
}

fn weights_of(octet: u32, block: u32, column: u32) -> Octet {
  return scaled(octet_of(octet, column), scale_of(block, column));
}
