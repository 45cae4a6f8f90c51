"""The samples the three models are trained on and judged by: an endless stream of problems and stories, split by question.

The split is a rule, not a list: a question whose SHA-1 begins with a byte below 8 is a test question, below 16 a validation
question, else a training question. So no run, however long and with whatever seed, can train on a test question.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import problems
import stories

STORY_SHARE = 0.22


@dataclass(frozen=True)
class Sample:
    kind: str  # "problem" or "story"
    question: str
    answer: str


def split_of(question: str) -> str:
    byte = hashlib.sha1(question.encode()).digest()[0]
    return "test" if byte < 8 else "validation" if byte < 16 else "train"


def stream(seed: int | str, split: str, story_share: float = STORY_SHARE) -> Iterator[Sample]:
    """The samples of one split, the same for the same seed."""
    r = Random(f"{seed}")
    while True:
        kind, source = ("story", stories) if r.random() < story_share else ("problem", problems)
        question, answer = source.draw(r)
        if split_of(question) == split:
            yield Sample(kind, question, answer)
