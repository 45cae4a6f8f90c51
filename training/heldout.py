"""Writes what the models are judged by, from the test split of the corpus.

    python training/heldout.py [models]

`heldout.jsonl`: 500 word problems, `{"question", "answer"}` a line as in GSM8K (chain of thought, then `#### number`).
`stories.jsonl`: 100 requests for a story, `{"question"}` a line; stories.valid tells whether an answer is one.
Standard library only; the same lines whenever it is run, no question twice.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from corpus import Sample, stream

SEED = "heldout"
PROBLEMS, STORIES = 500, 100
# Characters. The trainer leaves out prompts above 48 tokens and answers above 64; these lengths fit without a tokenizer at hand.
LONGEST_QUESTION, LONGEST_ANSWER = 125, 105


def distinct(samples: Iterator[Sample]) -> Iterator[Sample]:
    """Samples that fit, the first of each question."""
    seen = set()
    for s in samples:
        if s.question in seen or len(s.question) > LONGEST_QUESTION or (s.kind == "problem" and len(s.answer) > LONGEST_ANSWER):
            continue
        seen.add(s.question)
        yield s


def problems() -> list[dict[str, str]]:
    samples = distinct(stream(SEED, "test", 0.0))
    return [{"question": s.question, "answer": s.answer} for s in itertools.islice(samples, PROBLEMS)]


def stories() -> list[dict[str, str]]:
    samples = distinct(stream(SEED, "test", 1.0))
    return [{"question": s.question} for s in itertools.islice(samples, STORIES)]


def write(path: Path, lines: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    print(f"{path}: {len(lines)} lines")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "models"
    write(folder / "heldout.jsonl", problems())
    write(folder / "stories.jsonl", stories())
