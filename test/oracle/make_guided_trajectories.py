"""Trajectories of guided diffusion (FlashDLM, arXiv 2505.21467) on the golden models: exact runs for the decoder's test.

usage: make_guided_trajectories.py GOLDENS_DIR SEED
Reads GOLDENS_DIR/trajectories/dream and writes GOLDENS_DIR/guided/<case>.json, in the form of the other trajectories. The diffusion model is `dream`
(whole canvas visible, shift); the guide has the same weights under a causal mask, so that it often agrees and often does not. Nothing is cached here:
the guide reads prompt and canvas, proposals in the gaps, at once. `verify` entries are the guide's forwards. Runs are float64; a case is kept only if a
float32 run takes the same decisions and every decision has a margin of at least MIN_MARGIN.
"""
import json, math, os, sys
import torch
from safetensors.torch import load_file
from transformers import Qwen2Config
from make_trajectories import MASK, MIN_MARGIN, SUPPRESS, Net, Reject, Run, boundary, dump, order

BL = 8


def run_guided(net, guide, canvas, P, block, floor):
    run = Run(canvas, floor=floor); T = len(canvas); drafted = accepted = 0
    for s in range(P, T, block):
        e = min(s + block, T)
        while run.masks(s, e):
            rows = list(range(T)); l = net.full(run.x)
            c = {p: run.stats(l[p - 1]) for p in run.masks(s, e)}
            text = [c[i]["tok"] if i in c else t for i, t in enumerate(run.x[:max(c)])]
            g = guide.full(text)
            said = {p: run.stats(g[p - 1]) for p in c}
            for p in c:                                    # what either says decides: both must be sure of it
                run.margin("logit", c[p]["gap"], c[p]["best"]); run.margin("logit", said[p]["gap"], said[p]["best"])
            agreed = [p for p in c if said[p]["tok"] == c[p]["tok"]]
            drafted += len(c); accepted += len(agreed)
            best = order(c)
            if not agreed: boundary(run, c, best, 1)
            run.commit("full", rows, agreed or best[:1], c, scope=range(s, e))
            run.passes.append({"kind": "verify", "rows": list(range(min(c) - 1, max(c))), "committed": []})
    return run, drafted, accepted


def main():
    out, seed = sys.argv[1], int(sys.argv[2])
    folder = os.path.join(out, "trajectories", "dream")
    raw = json.load(open(os.path.join(folder, "config.json")))
    config = Qwen2Config(**{k: v for k, v in raw.items() if k not in ("model_type", "architectures")})
    weights = load_file(os.path.join(folder, "model.safetensors"))
    made = {dt: (Net(config, weights, dt, "full"), Net(config, weights, dt, ("grid", 1, 0))) for dt in (torch.float64, torch.float32)}
    os.makedirs(os.path.join(out, "guided"), exist_ok=True)
    gen = torch.Generator().manual_seed(seed)
    for j, (P, G, block) in enumerate(((9, 16, 8), (14, 24, 24), (11, 20, 8))):
        for tries in range(2000):
            prompt = torch.randint(0, 199, (P,), generator=gen).tolist()
            canvas = prompt + [MASK] * G
            try:
                run, drafted, accepted = run_guided(*made[torch.float64], canvas, P, block, MIN_MARGIN)
                again, *_ = run_guided(*made[torch.float32], canvas, P, block, 0.0)
            except Reject: continue
            decided = lambda r: [[c[:2] for c in p["committed"]] for p in r.passes]
            if decided(run) != decided(again): continue
            sizes = {len(p["committed"]) for p in run.passes if p["kind"] == "full"}
            if len(sizes) > 1 and sum(len(p["committed"]) for p in run.passes) > accepted: break
        else: raise SystemExit("no prompt with these margins")
        used = {k: sum(p["kind"] == k for p in run.passes) for k in ("full", "verify")}
        margins = {k: None if math.isinf(v) else float(f"{v:.4g}") for k, v in run.margins.items()}
        case = {"model": "dream", "case": f"guided-p{j}", "algorithm": "guided", "section": "E", "params": {"attention": "full", "shift": True, "gen_length": G, "block_length": block, "temperature": 0},
                "mask_id": MASK, "suppress": SUPPRESS, "prompt": prompt, "canvas": canvas, "final": run.x, "output": run.x[P:], "nfe": run.nfe, "nfe_by_kind": used,
                "drafted": drafted, "accepted": accepted, "margins": margins, "smallest_margin": min(v for v in margins.values() if v is not None), "passes": run.passes}
        dump(os.path.join(out, "guided", f"guided-p{j}.json"), case)
        print(f"guided-p{j}: P={P} G={G} block={block} nfe={run.nfe} accepted {accepted}/{drafted}, tries {tries + 1}", flush=True)


if __name__ == "__main__": main()
