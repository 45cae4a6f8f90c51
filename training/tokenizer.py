"""The tokenizer all three models share: byte-level BPE of 768 tokens, each digit its own token, split as Qwen2 does.

    python training/tokenizer.py models/ar/tokenizer.json

Ids 0 to 3 are <|endoftext|> (end of answer, and fill), <|mask|>, <|user|> and <|assistant|>.
"""

import itertools
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import stream

SPECIAL = ["<|endoftext|>", "<|mask|>", "<|user|>", "<|assistant|>"]
EOS, MASK, USER, ASSISTANT = range(4)
VOCABULARY = 768
SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train() -> Tokenizer:
    """Trained on 20,000 samples of the training split."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    samples = itertools.islice(stream("tokenizer", "train", 0.3), 20_000)
    t.train_from_iterator((text for s in samples for text in (s.question, s.answer)), trainer)
    return t


def encode(t: Tokenizer, question: str, answer: str) -> tuple[list[int], list[int]]:
    """The prompt's ids, as the chat template makes them, and the answer's with its end."""
    return [USER, *t.encode(question).ids, ASSISTANT], [*t.encode(answer).ids, EOS]


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    train().save(str(out))
