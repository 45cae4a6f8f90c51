"""What the comparison with PyTorch reads and counts. Standard library only."""

import json
import tempfile
import unittest
from pathlib import Path

import agreement


def line(text: str, **options) -> dict:
    return {"question": "q", "text": text, "options": options}


class Options(unittest.TestCase):
    def test_options_of_eval_become_those_of_decode(self):
        self.assertEqual(agreement.options_of(line("", maxNewTokens=64)), {})
        self.assertEqual(agreement.options_of(line("", genLength=64, steps=16, cache="dual", blockLength=16)), {"per_step": 4, "cache": "dual"})
        self.assertEqual(agreement.options_of(line("", genLength=64, threshold=0.9)), {"threshold": 0.9})

    def test_options_that_decode_does_not_have_are_refused(self):
        for options in ({}, {"genLength": 32}, {"genLength": 64, "steps": 24}, {"genLength": 64, "temperature": 0.5}, {"genLength": 64, "blockLength": 32}):
            with self.assertRaises(SystemExit, msg=options):
                agreement.options_of(line("", **options))

    def test_lines_of_several_runs_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.jsonl"
            for lines in ([], [line("", genLength=64), line("", genLength=32)]):
                path.write_text("".join(json.dumps(one) + "\n" for one in lines))
                with self.assertRaises(SystemExit):
                    agreement.read(path)
            path.write_text(json.dumps(line("a", genLength=64)) + "\n")
            self.assertEqual(len(agreement.read(path)), 1)


class Compare(unittest.TestCase):
    def test_answers_and_whole_texts_are_counted_apart(self):
        lines = [line("a #### 5"), line("b #### 6"), line("none"), line("#### 1,000")]
        result = agreement.compare(lines, ["a #### 5", "c #### 6", "nothing", "#### 9"])
        self.assertEqual((result["n"], result["agree"], result["same_text"]), (4, 0.75, 0.25))
        self.assertEqual([d["pytorch"] for d in result["differences"]], ["#### 9"])

    def test_as_many_answers_as_questions_are_needed(self):
        with self.assertRaises(ValueError):
            agreement.compare([line("a")], [])


if __name__ == "__main__":
    unittest.main()
