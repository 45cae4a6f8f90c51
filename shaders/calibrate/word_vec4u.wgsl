// Loads of four 32-bit words, 16 contiguous bytes. Part of read.wgsl and copy.wgsl.

alias Word = vec4<u32>;

fn fold_word(word: Word) -> u32 {
  return (word.x + word.y) + (word.z + word.w);
}
