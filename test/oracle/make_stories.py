"""Writes test/goldens/stories.jsonl: stories, whole and damaged, with the verdict of the generator's own checker.

    python test/oracle/make_stories.py

Standard library only; the same lines whenever it is run. Damage is blind (a word dropped, doubled, swapped, taken from another
story, a letter changed, sentences mixed, the prompt exchanged), so some of it leaves a valid story: the verdict counts.
"""

import json
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "training"))

import stories  # noqa: E402

WHOLE, DAMAGED = 120, 240


def damaged(r: Random, question: str, text: str) -> tuple[str, str]:
    other_question, other = stories.draw(r)
    words, theirs = text.split(" "), other.split(" ")
    i, j = r.randrange(len(words)), r.randrange(len(words))
    kind = r.randrange(9)
    if kind == 0:
        del words[i]
    elif kind == 1:
        words.insert(i, words[i])
    elif kind == 2:
        words[i], words[j] = words[j], words[i]
    elif kind == 3:
        words[i] = r.choice(theirs)
    elif kind == 4:
        k = r.randrange(len(words[i]))
        words[i] = words[i][:k] + r.choice("aeiou.,tsn") + words[i][k + 1 :]
    elif kind == 5:
        ours, others = text.split(". "), other.split(". ")
        k = r.randrange(5)
        return question, ". ".join([*ours[:k], *others[k : k + 1], *ours[k + 1 :]])
    elif kind == 6:
        return other_question, text
    elif kind == 7:
        return question, text + r.choice([" ", "\n", " The end.", "."])
    else:
        return question.replace(" a ", " an ", 1), text
    return question, " ".join(words)


def main() -> None:
    r = Random("stories")
    lines = [stories.draw(r) for _ in range(WHOLE)]
    lines += [damaged(r, *stories.draw(r)) for _ in range(DAMAGED)]
    made = [{"question": q, "text": t, "valid": stories.valid(q, t)} for q, t in lines]
    path = ROOT / "test/goldens/stories.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in made), "utf-8")
    print(f"{path}: {len(made)} lines, {sum(line['valid'] for line in made)} valid")


if __name__ == "__main__":
    main()
