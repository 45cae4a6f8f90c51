// Loads of one 32-bit word. Part of read.wgsl and copy.wgsl.

alias Word = u32;

fn fold_word(word: Word) -> u32 {
  return word;
}
