"""What the models learn from is what it says it is: split by rule, right in its sums, told without a fault.

    python training/test_corpus.py

Standard library only.
"""

import itertools
import json
import random
import re
import unittest
from pathlib import Path

import problems
import stories
from corpus import split_of, stream
from heldout import problems as heldout_problems
from heldout import stories as heldout_stories

MODELS = Path(__file__).parent.parent / "models"
SEEDS = (1, "2/mdlm/7")  # training draws from seeds of the second form
TRAINED = 100_000
DRAWN = 2_000
EQUATION = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)")


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (MODELS / name).read_text("utf-8").splitlines()]


def held_out() -> set[str]:
    return {line["question"] for name in ("heldout.jsonl", "stories.jsonl") for line in lines(name)}


def faults(question: str, text: str) -> dict[str, str]:
    """The text with one fault of each kind that it can have; each is a fault whatever was drawn."""
    child, animal = stories.subject(question)["name"], stories.subject(question)["animal"]
    other = next(n for n in problems.NAMES if n not in text)
    beast = next(a for a in stories.ANIMALS if a not in text)
    # A quotation ends within its sentence: `?" said`.
    parts = re.split(r"(?<=\.) ", text)
    made = {
        "another child": text.replace(child, other),
        "another animal": re.sub(rf"\b{animal}\b", beast, text),
        "one sentence less": " ".join(parts[:-1]),
        "a sentence twice": " ".join([*parts, parts[-1]]),
        "sentences swapped": " ".join([parts[1], parts[0], *parts[2:]]),
        "no full stop": text[:-1],
        "two blanks": text.replace(" ", "  ", 1),
        "a wrong article": re.sub(r"\b([Aa])n (old)\b", r"\1 \2", text),
        "another's pronoun": re.sub(r"\b(She|He|she|he)\b", lambda m: {"She": "He", "He": "She", "she": "he", "he": "she"}[m[0]], text),
        "a word out of the story": text.replace(" the ", " the the ", 1),
    }
    return {kind: t for kind, t in made.items() if t != text}


class Split(unittest.TestCase):
    def test_shipped_files_are_what_heldout_makes(self):
        self.assertEqual(lines("heldout.jsonl"), heldout_problems())
        self.assertEqual(lines("stories.jsonl"), heldout_stories())

    def test_held_out_questions_are_test_questions_and_none_comes_twice(self):
        for name, n in (("heldout.jsonl", 500), ("stories.jsonl", 100)):
            questions = [line["question"] for line in lines(name)]
            self.assertEqual(len(questions), n)
            self.assertEqual(len(set(questions)), n)
            self.assertEqual({split_of(q) for q in questions}, {"test"})

    def test_no_held_out_question_is_ever_trained_on(self):
        held = held_out()
        for seed in SEEDS:
            trained = {s.question for s in itertools.islice(stream(seed, "train"), TRAINED)}
            self.assertGreater(len(trained), TRAINED // 2)
            self.assertEqual(trained & held, set())

    def test_the_unsplit_corpus_does_hold_held_out_questions(self):
        # Else the test above would pass for a corpus that cannot make them at all.
        r = random.Random(0)
        drawn = {stories.draw(r)[0] for _ in range(10_000)}
        self.assertGreater(len(drawn & held_out()), 50)


class Problems(unittest.TestCase):
    def check(self, question: str, answer: str) -> None:
        equations = EQUATION.findall(answer)
        self.assertTrue(equations, answer)
        for a, operator, b, c in equations:
            right = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b), "/": int(a) / int(b)}[operator]
            self.assertEqual(right, int(c), answer)
        final = re.search(r" #### (\d+)$", answer)
        self.assertIsNotNone(final, answer)
        self.assertEqual(final[1], equations[-1][3], answer)
        self.assertTrue(problems.SMALLEST <= int(final[1]) <= problems.LARGEST, answer)
        self.assertRegex(question, r"\?$")

    def test_drawn_answers_are_right(self):
        r = random.Random(1)
        for _ in range(DRAWN):
            self.check(*problems.draw(r))

    def test_held_out_answers_are_right(self):
        for line in lines("heldout.jsonl"):
            self.check(line["question"], line["answer"])

    def test_numbers_of_an_answer_come_from_the_question_or_from_a_result(self):
        r = random.Random(2)
        for _ in range(DRAWN):
            question, answer = problems.draw(r)
            known = set(re.findall(r"\d+", question)) | {"2", "3"}  # half, doubles, triples
            for a, _, b, c in EQUATION.findall(answer):
                self.assertTrue({a, b} <= known, f"{question} {answer}")
                known.add(c)


class Stories(unittest.TestCase):
    def test_drawn_stories_are_valid(self):
        r = random.Random(3)
        for _ in range(DRAWN):
            prompt, text = stories.draw(r)
            self.assertTrue(stories.valid(prompt, text), f"{prompt} {text}")

    def test_stories_with_a_fault_are_not(self):
        r = random.Random(4)
        seen = set()
        for _ in range(DRAWN // 10):
            prompt, text = stories.draw(r)
            for kind, wrong in faults(prompt, text).items():
                seen.add(kind)
                self.assertFalse(stories.valid(prompt, wrong), f"{kind}: {prompt} {wrong}")
        self.assertEqual(len(seen), 10)

    def test_a_story_for_another_prompt_is_not(self):
        r = random.Random(5)
        for _ in range(DRAWN // 10):
            (one, text), (other, _) = stories.draw(r), stories.draw(r)
            a, b = stories.subject(one), stories.subject(other)
            if a["name"] != b["name"] or a["animal"] != b["animal"]:
                self.assertFalse(stories.valid(other, text), f"{other} {text}")

    def test_a_question_that_asks_for_no_story_has_none(self):
        self.assertIsNone(stories.subject("How many apples are left?"))
        self.assertFalse(stories.valid("How many apples are left?", stories.draw(random.Random(6))[1]))


if __name__ == "__main__":
    unittest.main()
