"""Trains one model of the family on the CPU.

    python training/train.py base  --seed 1
    python training/train.py ar    --seed 1      # from runs/1/base
    python training/train.py block --seed 1      # from runs/1/base
    python training/train.py mdlm  --seed 1      # from runs/1/block

Writes runs/SEED/MODEL/checkpoint.pt (weights, optimizer, step) every --save-every steps and log.jsonl beside it. Asked
to stop (SIGTERM, Ctrl-C) it saves one and ends. Started again it goes on from the checkpoint; every batch and every mask is
a function of the seed and the step, so a run that was stopped and resumed is the run that was not. With --steps beyond the
recipe's, a finished model trains on at a tenth of the learning rate.
"""

import argparse
import ctypes
import itertools
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer

import tokenizer as tokens
from corpus import stream
from model import LM, Config, Layer
from muon import Muon
from objectives import BLOCK, OBJECTIVES, Batch

LONGEST_PROMPT, LONGEST_ANSWER = 48, 64
ROWS = 32
POOL = 8  # batches drawn at once, so that each holds samples of like length
WARMUP = 60


@dataclass(frozen=True)
class Recipe:
    objective: str
    init: str | None  # the model it starts from
    steps: int
    muon: float  # learning rate of the matrices
    adam: float  # of the embedding and the norms


RECIPES = {
    "base": Recipe("ar", None, 3000, 4e-3, 2e-3),
    "ar": Recipe("ar", "base", 2500, 2e-3, 1e-3),
    "block": Recipe("block", "base", 5000, 3e-3, 1e-3),
    "mdlm": Recipe("mdlm", "block", 4000, 1.5e-3, 6e-4),
}


def keep_memory() -> None:
    """Tells glibc to keep freed memory: else each large tensor is mapped and its pages faulted in anew (a third of a step)."""
    M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_TOP_PAD, 2**28)


def rate(step: int, steps: int) -> float:
    """Share of the learning rate: warm-up, constant, linear to nothing over the second half; a tenth after the end."""
    if step >= steps:
        return 0.1
    return min(1.0, (step + 1) / WARMUP, 2 * (1 - step / steps))


def pool(model: str, seed: int, number: int, t: Tokenizer) -> list[Batch]:
    """Batches number * POOL onward: sorted by length, cut, shuffled."""
    r = Random(f"{seed}/{model}/{number}")
    samples = (tokens.encode(t, s.question, s.answer) for s in stream(f"{seed}/{model}/{number}", "train"))
    fit = ((p, a) for p, a in samples if len(p) <= LONGEST_PROMPT and len(a) <= LONGEST_ANSWER)
    drawn = sorted(itertools.islice(fit, POOL * ROWS), key=lambda s: len(s[0]) + len(s[1]) + 6 * r.random())
    cuts = [drawn[i * ROWS : (i + 1) * ROWS] for i in range(POOL)]
    r.shuffle(cuts)
    return [collate(RECIPES[model].objective, cut, r, t) for cut in cuts]


def collate(objective: str, samples: list[tuple[list[int], list[int]]], r: Random, t: Tokenizer) -> Batch:
    longest = max(len(p) + len(a) for p, a in samples)
    if objective == "mdlm":  # decoding starts from a canvas of LONGEST_ANSWER masks whatever the answer's length
        full = max(len(p) for p, _ in samples) + LONGEST_ANSWER
        longest = full if r.random() < 0.35 else min(full, longest + r.randint(0, 24))
    T = -(-longest // BLOCK) * BLOCK
    digit = torch.zeros(t.get_vocab_size(), dtype=torch.bool)
    digit[[t.token_to_id(str(i)) for i in range(10)]] = True
    return Batch(
        ids=torch.tensor([(p + a + [tokens.EOS] * T)[:T] for p, a in samples]),
        prompt=torch.tensor([len(p) for p, _ in samples]),
        end=torch.tensor([len(p) + len(a) for p, a in samples]),
        digit=digit,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=RECIPES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("training/runs"), help="kept out of the repository")
    parser.add_argument("--steps", type=int, help="stop at this step (default: the recipe's)")
    parser.add_argument("--minutes", type=float, help="stop after this many minutes, with a checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--save-every", type=int, default=250)
    parser.add_argument("--compile", action="store_true", help="torch.compile: a fourth faster after minutes of compiling; needs g++")
    args = parser.parse_args()
    recipe = RECIPES[args.model]
    keep_memory()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    if args.compile:
        torch._dynamo.config.recompile_limit = 64  # one kernel set for each length of a batch
        Layer.forward = torch.compile(Layer.forward, dynamic=False)

    runs = args.runs / str(args.seed)
    out = runs / args.model
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = args.runs / "tokenizer.json"
    if not vocabulary.exists():
        tokens.train().save(str(vocabulary))
    t = Tokenizer.from_file(str(vocabulary))
    m = LM(Config(vocabulary=t.get_vocab_size()))
    matrices = [p for n, p in m.named_parameters() if p.dim() == 2 and "embedding" not in n]
    others = [p for n, p in m.named_parameters() if p.dim() == 1 or "embedding" in n]
    optimizers = [Muon(matrices, lr=recipe.muon, weight_decay=0.02), torch.optim.AdamW(others, lr=recipe.adam, betas=(0.9, 0.98), weight_decay=0)]

    checkpoint, step = out / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        step = saved["step"]
        m.load_state_dict(saved["weights"])
        for o, s in zip(optimizers, saved["optimizers"]):
            o.load_state_dict(s)
    elif recipe.init:
        m.load_state_dict(torch.load(runs / recipe.init / "checkpoint.pt")["weights"])

    def save() -> None:
        state = {"step": step, "weights": m.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
        torch.save(state, out / "checkpoint.new")
        (out / "checkpoint.new").replace(checkpoint)

    print(f"{args.model} seed {args.seed}: {sum(p.numel() for p in m.parameters())} parameters, from step {step}", flush=True)
    stopped = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.append(True))
    started, first, losses, batches, number = time.time(), step, [], [], -1
    last = args.steps or recipe.steps
    while step < last and not stopped and (args.minutes is None or time.time() - started < 60 * args.minutes):
        if step // POOL != number:
            number = step // POOL
            batches = pool(args.model, args.seed, number, t)
        for o, lr in zip(optimizers, (recipe.muon, recipe.adam)):
            for group in o.param_groups:
                group["lr"] = lr * rate(step, recipe.steps)
        g = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        loss = OBJECTIVES[recipe.objective](m, batches[step % POOL], g)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step += 1
        if step % 50 == 0:
            seconds = time.time() - started
            line = {"step": step, "loss": round(sum(losses) / len(losses), 4), "seconds": round(seconds), "samples_per_second": round((step - first) * ROWS / seconds, 1)}
            losses.clear()
            print(json.dumps(line), flush=True)
            with (out / "log.jsonl").open("a") as f:
                f.write(json.dumps(line) + "\n")
        if step % args.save_every == 0:
            save()
    save()
    print(f"step {step}, {(time.time() - started) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
