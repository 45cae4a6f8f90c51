"""The three ways to decode, in PyTorch: what training is judged by, and what the engine's answers are compared with.

    python training/decode.py training/runs/1/mdlm --n 200 --threshold 0.9

Greedy. `ar` one token a forward; `mdlm` LLaDA's semi-autoregressive low-confidence remasking over a canvas of 64 masks, with
Fast-dLLM's threshold, prefix and dual cache; `block` block diffusion on absolute blocks with an exact cache. All predict the
token at i from the hidden state at i-1.
"""

import argparse
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

import stories
from corpus import stream
from export import load
from model import LM, Cache, dense
from objectives import BLOCK
from tokenizer import ASSISTANT, EOS, MASK, USER

LENGTH = 64  # of the canvas after the prompt
HIDDEN = -1e4


@dataclass(frozen=True)
class Options:
    per_step: int = 1  # tokens revealed a forward: a block's masks over BLOCK / per_step forwards, as LLaDA spreads them
    threshold: float | None = None  # instead: all of at least this confidence, at least one
    cache: str = "none"  # mdlm: none, prefix, dual


@dataclass(frozen=True)
class Decoded:
    texts: list[str]
    forwards: list[int]  # of each
    tokens: list[int]  # of each answer, its end included


@torch.inference_mode()
def decode(m: LM, kind: str, t: Tokenizer, questions: list[str], options: Options = Options()) -> Decoded:
    prompts = [[USER, *t.encode(q).ids, ASSISTANT] for q in questions]
    texts, forwards, tokens = [""] * len(prompts), [0] * len(prompts), [0] * len(prompts)
    by_length: dict[int, list[int]] = {}
    for i, p in enumerate(prompts):
        by_length.setdefault(len(p), []).append(i)
    # Prompts of one length together: no padding, so nothing to mask.
    for members in by_length.values():
        ids, counts = DECODERS[kind](m, torch.tensor([prompts[i] for i in members]), options)
        for i, row, count in zip(members, ids.tolist(), counts.tolist()):
            answer = row[: row.index(EOS)] if EOS in row else row
            texts[i], forwards[i], tokens[i] = t.decode(answer, skip_special_tokens=True), count, min(len(answer) + 1, LENGTH)
    return Decoded(texts, forwards, tokens)


def answers(folder: Path, questions: list[str], **options) -> list[str]:
    return decode(*load(Path(folder)), questions, Options(**options)).texts


def propose(m: LM, h: Tensor) -> tuple[Tensor, Tensor]:
    """Confidence and token of each hidden state; never the mask."""
    logits = m.head(h)
    logits[..., MASK] = -torch.inf
    return logits.softmax(-1).max(-1)


def spread(masks: int, options: Options) -> list[int]:
    """Tokens that each forward of a block with so many masks reveals (LLaDA, get_num_transfer_tokens)."""
    steps = BLOCK // options.per_step
    return [masks // steps + (i < masks % steps) for i in range(steps)]


def choose(confidence: Tensor, masked: Tensor, options: Options, count: int) -> Tensor:
    """Which of [B, N] to reveal: the `count` most confident, or all over the threshold and at least one."""
    c = torch.where(masked, confidence, -1.0)
    best = torch.zeros_like(masked).scatter_(1, torch.argsort(c, dim=1, descending=True, stable=True)[:, :count], True)
    if options.threshold is not None:
        best = torch.zeros_like(masked).scatter_(1, c.argmax(1, keepdim=True), True) | (c >= options.threshold)
    return best & masked


def ar(m: LM, prompts: Tensor, _: Options) -> tuple[Tensor, Tensor]:
    B, P = prompts.shape
    cache = Cache(m.c, B, P + LENGTH)
    out, done, x = [], torch.zeros(B, dtype=torch.bool), prompts
    for i in range(LENGTH):
        cache.places = torch.arange(P) if i == 0 else torch.tensor([P + i - 1])
        mask = torch.full((len(cache.places), P + LENGTH), HIDDEN).masked_fill_(torch.arange(P + LENGTH) <= cache.places[:, None], 0)
        token = propose(m, m.hidden(x, cache.places, dense(mask), cache)[:, -1:])[1]
        out.append(token.masked_fill(done[:, None], EOS))
        done |= out[-1][:, 0] == EOS
        if done.all():
            break
        x = out[-1]
    ids = torch.cat(out, 1)
    return ids, (ids == EOS).int().cumsum(1).eq(0).sum(1).add(1).clamp(max=ids.shape[1])


def mdlm(m: LM, prompts: Tensor, options: Options) -> tuple[Tensor, Tensor]:
    B, P = prompts.shape
    S = P + LENGTH
    x = torch.cat([prompts, torch.full((B, LENGTH), MASK)], 1)
    forwards, finished = torch.zeros(B, dtype=torch.int), torch.zeros(B, dtype=torch.bool)
    for start in range(P, S, BLOCK):
        stop = start + BLOCK
        x[finished, start:] = EOS
        cache = Cache(m.c, B, S)
        counts = spread(BLOCK, options)
        step = 0
        while True:
            masked = x[:, start:stop] == MASK
            running = masked.any(1)
            if not running.any():
                break
            forwards += running
            full = options.cache == "none" or step == 0
            cache.places = torch.arange(0 if full else start - 1, stop if options.cache == "dual" and not full else S)
            h = m.hidden(x[:, cache.places], cache.places, dense(), cache)
            first = start - 1 - int(cache.places[0])
            confidence, token = propose(m, h[:, first : first + BLOCK])
            count = counts[step] if step < len(counts) else 1
            x[:, start:stop] = torch.where(choose(confidence, masked, options, count), token, x[:, start:stop])
            step += 1
        finished |= (x[:, start:stop] == EOS).any(1)
    return x[:, P:], forwards


def block(m: LM, prompts: Tensor, options: Options) -> tuple[Tensor, Tensor]:
    B, P = prompts.shape
    S = -(-(P + LENGTH) // BLOCK) * BLOCK
    x = torch.cat([prompts, torch.full((B, S - P), MASK)], 1)
    at = torch.arange(S) // BLOCK
    sees = torch.where(at[:, None] >= at, 0.0, HIDDEN)
    cache = Cache(m.c, B, S)
    forwards, finished = torch.zeros(B, dtype=torch.int), torch.zeros(B, dtype=torch.bool)
    before = torch.zeros(B, 1, m.c.hidden)  # hidden state of the clean token before the block
    clean = P // BLOCK * BLOCK
    if clean:
        cache.places = torch.arange(clean)
        before = m.hidden(x[:, :clean], cache.places, dense(sees[:clean]), cache)[:, -1:]
    for start in range(clean, S, BLOCK):
        stop = start + BLOCK
        x[finished, start:] = EOS
        cache.places = torch.arange(start, stop)
        if start >= P:  # the commit pass before it has answered a block's first place (Fast-dLLM v2)
            x[:, start] = torch.where(finished, EOS, propose(m, before)[1][:, 0])
        counts = spread(int((x[:1, start:stop] == MASK).sum()) or BLOCK, options)
        step = 0
        while True:
            masked = x[:, start:stop] == MASK
            running = masked.any(1)
            if not running.any():
                break
            forwards += running
            h = m.hidden(x[:, start:stop], cache.places, dense(sees[start:stop]), cache)
            confidence, token = propose(m, torch.cat([before, h[:, :-1]], 1))
            count = counts[step] if step < len(counts) else 1
            x[:, start:stop] = torch.where(choose(confidence, masked, options, count), token, x[:, start:stop])
            step += 1
        before = m.hidden(x[:, start:stop], cache.places, dense(sees[start:stop]), cache)[:, -1:]  # the commit pass
        finished |= (x[:, max(start, P) : stop] == EOS).any(1)
        if finished.all():
            x[:, stop:] = EOS
            break
    return x[:, P : P + LENGTH], forwards


DECODERS = {"ar": ar, "mdlm": mdlm, "block": block}


def final(text: str) -> str | None:
    """The number after the last `####`, as GSM8K's scorer takes it."""
    found = re.findall(r"#### (\-?[0-9\.\,]+)", text)
    return found[-1].replace(",", "") if found else None


def judge(m: LM, kind: str, t: Tokenizer, n: int, split: str, options: Options) -> dict:
    """Exact match on n problems, validity of n / 4 stories, tokens a forward on the problems."""
    problems = list(itertools.islice(stream(f"{split}/judge", split, 0.0), n))
    told = list(itertools.islice(stream(f"{split}/judge", split, 1.0), n // 4))
    d = decode(m, kind, t, [s.question for s in problems], options)
    right = [final(text) == final(s.answer) for text, s in zip(d.texts, problems)]
    s = decode(m, kind, t, [s.question for s in told], options)
    valid = [stories.valid(a.question, text) for a, text in zip(told, s.texts)]
    return {
        "exact_match": round(sum(right) / n, 3),
        "tokens_per_forward": round(sum(d.tokens) / sum(d.forwards), 2),
        "stories_valid": round(sum(valid) / max(1, len(valid)), 3),
        "stories_tokens_per_forward": round(sum(s.tokens) / max(1, sum(s.forwards)), 2),
        "wrong": [text for text, ok in zip(d.texts, right) if not ok][:3] + [text for text, ok in zip(s.texts, valid) if not ok][:3],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--split", choices=["validation", "test"], default="validation")
    parser.add_argument("--per-step", type=int, default=1)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--cache", choices=["none", "prefix", "dual"], default="none")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    m, kind, t = load(args.folder)
    print(json.dumps(judge(m, kind, t, args.n, args.split, Options(args.per_step, args.threshold, args.cache)), indent=1))


if __name__ == "__main__":
    main()
