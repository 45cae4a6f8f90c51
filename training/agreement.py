"""Compares the engine's answers with PyTorch's at f32 on the same questions.

    ridgepoint eval --model CHECKPOINT --dataset models/heldout.jsonl --threshold 0.9 --out answers.jsonl
    python training/agreement.py CHECKPOINT answers.jsonl

Takes questions and decoding options from the lines that `eval --out` wrote, decodes with decode.py, and prints as JSON how many
final answers (the number after `####`) and how many whole texts are the same, and where they differ. Both sides round
differently, so texts may part where two tokens are all but equally likely; weights of fewer bits add to that.
"""

import argparse
import json
import re
import sys
from pathlib import Path

LENGTH = 64  # of every answer that decode.py makes


def final(text: str) -> str | None:
    """The number after the first `####`, as `eval` takes it."""
    found = re.search(r"#### (-?[0-9.,]+)", text)
    return (found[1].replace(",", "") or None) if found else None


def options_of(line: dict) -> dict:
    """decode.Options of the options that eval wrote. One that decode.py does not have is an error, never passed over."""
    given = dict(line["options"])
    length = given.pop("genLength", given.pop("maxNewTokens", None))
    if length != LENGTH:
        raise SystemExit(f"agreement: genLength (ar: maxNewTokens): expected {LENGTH}, came {length}; evaluate with it")
    out = {}
    if "steps" in given:
        out["per_step"], rest = divmod(LENGTH, given.pop("steps"))
        if rest:
            raise SystemExit(f"agreement: steps: expected a divisor of {LENGTH}; PyTorch reveals the same number every step")
    if "threshold" in given:
        out["threshold"] = given.pop("threshold")
    if given.get("cache") in ("none", "prefix", "dual"):
        out["cache"] = given.pop("cache")
    if given.get("blockLength", 16) == 16:
        given.pop("blockLength", None)
    if given:
        raise SystemExit(f"agreement: {', '.join(given)}: decode.py has no such option; evaluate without it")
    return out


def read(path: Path) -> list[dict]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise SystemExit(f"agreement: {path}: expected the lines of eval --out, came none")
    if any(line["options"] != lines[0]["options"] for line in lines):
        raise SystemExit(f"agreement: {path}: expected one set of options in all lines, came several")
    return lines


def compare(lines: list[dict], texts: list[str]) -> dict:
    pairs = [(line, text, final(text)) for line, text in zip(lines, texts, strict=True)]
    differing = [(line, text, number) for line, text, number in pairs if final(line["text"]) != number]
    return {
        "n": len(pairs),
        "agree": 1 - len(differing) / len(pairs),
        "same_text": sum(line["text"].strip() == text.strip() for line, text, _ in pairs) / len(pairs),
        "differences": [{"question": line["question"], "engine": line["text"], "pytorch": text} for line, text, _ in differing],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="folder of a training run or of an exported checkpoint")
    parser.add_argument("answers", type=Path, nargs="+", help="files of eval --out")
    parser.add_argument("--limit", type=int, help="only the first so many of each file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--least", type=float, help="fail below this share of equal answers")
    args = parser.parse_args()
    import torch

    import decode

    torch.set_num_threads(args.threads)
    kind, shares = decode.load(args.checkpoint)[1], []
    for path in args.answers:
        lines = read(path)[: args.limit]
        options = options_of(lines[0])
        if kind == "block" and options.get("per_step", 1) > 1:
            sys.exit("agreement: steps: the engine spreads what is masked of a block over its steps, decode.py takes the same number each; give a threshold")
        texts = decode.answers(args.checkpoint, [line["question"] for line in lines], **options)
        result = {"file": str(path), "options": lines[0]["options"], **compare(lines, texts)}
        shares.append(result["agree"])
        print(json.dumps(result, indent=1), flush=True)
    if args.least is not None and min(shares) < args.least:
        sys.exit(f"agreement: {min(shares):.3f} of the answers are equal, expected at least {args.least}")


if __name__ == "__main__":
    main()
