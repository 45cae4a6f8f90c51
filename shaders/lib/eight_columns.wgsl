// Eight columns of an invocation, 8 apart: their weights, and where their outputs go. Column i and column i + 4 of them are a pair of the store.
fn store8(row: u32, column: u32, near: vec4f, far: vec4f) {
  store_pair(row, column, near.x, far.x);
  store_pair(row, column + 8u, near.y, far.y);
  store_pair(row, column + 16u, near.z, far.z);
  store_pair(row, column + 24u, near.w, far.w);
}

fn weights_of(octet: u32, block: u32, column: u32) -> Octet {
  return scaled(octet_of(octet, column), scale_of(block, column));
}
