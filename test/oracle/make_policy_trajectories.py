"""Exact trajectories of caches and policies, as options of `generate`, on the random-weight models that make_trajectories.py wrote.

usage: make_policy_trajectories.py GOLDENS_DIR SEED [NAME]
Makes all cases, or those whose name holds NAME.
Reads GOLDENS_DIR/trajectories/{llada,qwen3}/{config.json,model.safetensors} and writes one JSON per case and prompt beside them. Nothing here is cached or
shared with the engine: a pass is a list of tokens, their positions and a square matrix of who sees whom; keys of rows that a pass leaves out are looked up in
a dictionary by place. Every rule is written from its paper's description. A case is kept only if float32 takes the same decisions and every decision met
has a margin of at least MIN_MARGIN, as in make_trajectories.py.
"""
import json, math, os, sys
from types import SimpleNamespace
import torch
from safetensors.torch import load_file
from make_trajectories import BL, EOS, G, MASK, MIN_MARGIN, SUPPRESS, Net, Reject, Run, dump, llada_schedule, order

ROLES = {"attn_norm": "input_layernorm", "ff_norm": "post_attention_layernorm", "attn_out": "self_attn.o_proj", "ff_proj": "mlp.gate_proj", "up_proj": "mlp.up_proj", "ff_out": "mlp.down_proj"}


def load(folder, dt):
    c = json.load(open(f"{folder}/config.json")); w = load_file(f"{folder}/model.safetensors")
    if c["model_type"] == "llada":
        top = {"wte": "embed_tokens", "ln_f": "norm"}
        def name(k):
            if ".blocks." in k:
                layer, role = k.split(".blocks.")[1].removesuffix(".weight").split(".")
                return f"model.layers.{layer}.{ROLES.get(role, 'self_attn.' + role)}.weight"
            role = k.split(".")[2]
            return "lm_head.weight" if role == "ff_out" else f"model.{top[role]}.weight"
        w = {name(k): v for k, v in w.items()}
        cfg = SimpleNamespace(num_hidden_layers=c["n_layers"], num_attention_heads=c["n_heads"], num_key_value_heads=c["n_kv_heads"], hidden_size=c["d_model"], rms_norm_eps=c["rms_norm_eps"], rope_theta=c["rope_theta"])
    else:
        cfg = SimpleNamespace(**{k: c.get(k) for k in ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size", "rms_norm_eps", "rope_theta")})
    return Net(cfg, w, dt, "full")


def layers(net, tokens, pos, see):
    """Logits of rows: tokens at rotary positions pos; see(layer, k, v) gives all keys, values [n, K, E] and who sees what [rows, n] from the rows' own."""
    n = len(tokens); pos = torch.as_tensor(pos)
    x = net.w["model.embed_tokens.weight"][torch.as_tensor(tokens)]
    for l in range(net.layers):
        p = f"model.layers.{l}."; h = net.norm(x, p + "input_layernorm.weight")
        q, k, v = (net.lin(h, p + f"self_attn.{r}_proj").view(n, -1, net.hd) for r in "qkv")
        if p + "self_attn.q_norm.weight" in net.w: q, k = net.norm(q, p + "self_attn.q_norm.weight"), net.norm(k, p + "self_attn.k_norm.weight")
        K, W, vis = see(l, net.rope(k, pos), v); q = net.rope(q, pos); g = net.nh // net.nkv
        s = torch.einsum("qhd,khd->hqk", q, K.repeat_interleave(g, 1)) / math.sqrt(net.hd)
        a = torch.einsum("hqk,khd->qhd", s.masked_fill(~vis[None], -math.inf).softmax(-1), W.repeat_interleave(g, 1))
        x = x + net.lin(a.reshape(n, -1), p + "self_attn.o_proj"); h = net.norm(x, p + "post_attention_layernorm.weight")
        x = x + net.lin(torch.nn.functional.silu(net.lin(h, p + "mlp.gate_proj")) * net.lin(h, p + "mlp.up_proj"), p + "mlp.down_proj")
    return net.norm(x, "model.norm.weight") @ net.head.T

def dense(net, tokens, pos, vis): return layers(net, tokens, pos, lambda l, k, v: (k, v, vis))

def remembered(net, x, rows, seen, memory):
    """Rows see the places `seen`: keys and values of a place are those of the last pass that computed it, kept in memory[layer][place]."""
    def see(l, k, v):
        for i, r in enumerate(rows): memory.setdefault(l, {})[r] = (k[i], v[i])
        return torch.stack([memory[l][s][0] for s in seen]), torch.stack([memory[l][s][1] for s in seen]), torch.ones(len(rows), len(seen), dtype=torch.bool)
    return layers(net, [x[r] for r in rows], rows, see)


class Record(Run):
    def write(self, kind, rows, taken, stats, back=()):
        """taken: {place: (token, value)}; back: places masked again."""
        for p, (tok, _) in taken.items():
            if p in stats and stats[p]["tok"] == tok: self.margin("logit", stats[p]["gap"], stats[p]["best"])
            self.x[p] = tok
        for p in back: self.x[p] = MASK
        self.passes.append({"kind": kind, "rows": list(rows), "committed": [[p, taken[p][0], float(f"{taken[p][1]:.7g}")] for p in sorted(taken)]})
    def above(self, value, bound, strict=True):
        self.margin("threshold", abs(value - bound), bound)
        return value > bound if strict else value >= bound
    def gap(self, values, k):
        """values in the order of a ranking, cut after k"""
        if 0 < k < len(values): self.margin("rank", abs(values[k - 1] - values[k]), values[k - 1])
    def chance_gap(self, values, k):
        """the same for probabilities that may be tiny: they are ranked by their logarithms"""
        self.gap([math.log(v) for v in values], k)
    def now(self, row, tok):
        r = row.clone(); r[self.suppress] = -math.inf
        return torch.log_softmax(r, -1)[tok].exp().item()

def plain(taken, c): return {p: (c[p]["tok"], c[p]["c"]) for p in taken}


# ---------------------------------------------------------------- rules: (run, state, step, answers of masks, probability of tokens that stand) -> taken, masked again
def near_ties(run, st, step, c, known, o, v):
    bound = min(v["threshold"], c[o[0]]["c"] - v["slack"])
    return plain([p for p in o if p == o[0] or run.above(c[p]["c"], bound, False)], c), []

def hierarchical(run, st, step, c, known, o, v):
    taken, runs = {o[0]}, []
    for p in sorted(c):
        if runs and runs[-1][-1] == p - 1: runs[-1].append(p)
        else: runs.append([p])
    for r in runs:
        best = sorted(r, key=lambda p: -c[p]["c"]); run.gap([c[p]["c"] for p in best], 1)
        if run.above(c[best[0]]["c"], v["low"]): taken.add(best[0])
    taken |= {p for p in o if run.above(c[p]["c"], v["threshold"])}
    run.gap([c[p]["c"] for p in o], 1)
    return plain(taken, c), []

def hierarchical_remask(run, st, step, c, known, o, v):
    taken, _ = hierarchical(run, st, step, c, known, o, v)
    low = sorted((p for p in known if not run.above(known[p], v["remask"], False)), key=lambda p: known[p])
    run.chance_gap([known[p] for p in low], len(c) - 1)
    low = low[:len(c) - 1]
    more = [p for p in o if p not in taken]; k = max(0, len(low) + 1 - len(taken)); run.gap([c[p]["c"] for p in more], k)
    return taken | plain(more[:k], c), low

def credit(run, st, step, c, known, o, v):
    fused = {}
    for p, s in c.items():
        b = st.setdefault(p, {}); last = st.get(("last", p))
        for t in b: b[t] *= v["decay"]
        others = sorted((t for t in b if t != last), key=lambda t: -b[t]); run.gap([b[t] for t in others], 1)
        b[s["tok"]] = b.get(s["tok"], 0) + s["c"] ** v["power"]; st[("last", p)] = s["tok"]
        l = s["row"].clone(); l[SUPPRESS] = -math.inf
        for t in {s["tok"], *others[:1]}: l[t] += v["boost"] * math.log(1 + b[t])
        q = l.softmax(-1); top, at = q.topk(2)
        run.margin("logit", (top[0] / top[1]).log().item(), s["best"])
        fused[p] = (int(at[0]), top[0].item())
    o = sorted(fused, key=lambda p: -fused[p][1]); run.gap([fused[p][1] for p in o], 1)
    return {p: fused[p] for p in o if p == o[0] or run.above(fused[p][1], v["threshold"], False)}, []

def p2(run, st, step, c, known, o, v):
    score = {p: s["c"] for p, s in c.items()} | {p: v["eta"] * q for p, q in known.items()}
    keep = len(score) * min(step + 1, v["steps"]) // v["steps"]; best = sorted(score, key=lambda p: -score[p])
    run.chance_gap([score[p] for p in best], keep)
    return plain([p for p in best[:keep] if p in c], c), [p for p in best[keep:] if p in known]

def saber(run, st, step, c, known, o, v):
    mean = st.setdefault("all", []); trust = st.setdefault("trust", {})
    bound = sum(mean) / len(mean) if mean else 1.0
    taken = [p for p in o if p == o[0] or run.above(c[p]["c"], bound)]; run.gap([c[p]["c"] for p in o], 1)
    drop = sorted((p for p in known if run.above(trust[p] - known[p], 0)), key=lambda p: known[p] - trust[p])
    k = min(len(taken) - 1, max(1, int(len(taken) / v["mu"]))); run.gap([trust[p] - known[p] for p in drop], k)
    for p in taken: trust[p] = c[p]["c"]; mean.append(c[p]["c"])
    return plain(taken, c), drop[:k]


def klass(run, st, step, c, known, o, v):
    ready = []
    for p, s in c.items():
        row = s["row"].double().clone(); row[SUPPRESS] = -math.inf; lp = row.log_softmax(-1); ok = lp.isfinite()
        old, calm = st.get(p, (None, 0))
        if old is not None: calm = calm + 1 if run.above(v["divergence"], (lp.exp() * (lp - old))[ok].sum().item()) else 0
        st[p] = (lp, calm)
        if run.above(s["c"], v["threshold"]) and calm >= v["history"]: ready.append(p)
    if not ready: run.gap([c[p]["c"] for p in o], 1)
    return plain(ready or o[:1], c), []


# ---------------------------------------------------------------- decoders
def run_rule(rule):
    def go(net, canvas, P, v, o, **kw):
        run = Record(canvas, **kw); T = len(canvas); ones = torch.ones(T, T, dtype=torch.bool); shared = {}
        for s in range(P, T, BL):
            mine = run.masks(s, s + BL); step = 0; st = shared if rule is saber else {}
            while (m := run.masks(s, s + BL)):
                l = dense(net, run.x, range(T), ones)
                c = {p: run.stats(l[p]) | {"row": l[p]} for p in m}
                known = {p: run.now(l[p], run.x[p]) for p in mine if p not in m}
                taken, back = rule(run, st, step, c, known, order(c), v)
                run.write("full", range(T), taken, c, back); step += 1
        return run
    return go

def run_cache(net, canvas, P, v, o, **kw):
    """LLaDA's schedule over blocks of 8, one of the caches, perhaps with far masks dropped."""
    run = Record(canvas, **kw); T = len(canvas); memory = {}; done = 0; old = None; seen = list(range(T))
    cache, refresh = o.get("cache", "none"), o.get("refreshInterval", 8 if o.get("cache") == "delayed" else 0)
    for s in range(P, T, BL):
        e = s + BL; seen = [p for p in range(T) if p < e + o.get("suffixWindow", T)]
        plan = llada_schedule(BL, o["steps"] * BL // (T - P))
        for i, k in enumerate(plan):
            m = set(run.masks(0, T))
            again = refresh and (done if cache == "delayed" else i) % refresh == 0
            if cache == "none" or again: rows, kind = seen, "full"
            elif cache == "vicinity" and (i == 0 or done < o["cacheWarmup"]) or cache == "dual" and i == 0: rows, kind = seen, "full"
            elif cache == "delayed" and done < o["cacheWarmup"] or cache == "frozen" and done == 0: rows, kind = seen, "full"
            elif cache == "vicinity": rows, kind = [p for p in seen if s - o["cacheWindow"] <= p < e + o["cacheWindow"]], "block"
            elif cache == "dual": rows, kind = [p for p in seen if s <= p < e], "block"
            elif cache == "frozen": rows, kind = [p for p in seen if p >= (s - BL if i == 0 else s)], "suffix"
            elif cache == "delayed": rows, kind = [p for p in seen if p in m or p in old], "block"
            l = remembered(net, run.x, rows, seen, memory)
            c = {p: run.stats(l[rows.index(p)]) for p in run.masks(s, e)}; top = order(c)
            run.gap([c[p]["c"] for p in top], k)
            run.write(kind, rows, plain(top[:k], c), c); done += 1; old = m
    return run

def run_wino(net, canvas, P, v, o, **kw):
    run = Record(canvas, **kw); T = len(canvas)
    for s in range(P, T, BL):
        mine = run.masks(s, s + BL); last = 30
        vis = torch.ones(T + BL, T + BL, dtype=torch.bool); vis[:T, T:] = False
        for j in range(BL): vis[T + j, s + j] = False
        while (m := run.masks(s, s + BL)):
            pos = list(range(T)) + list(range(s, s + BL))
            l = dense(net, run.x + [MASK] * BL, pos, vis)
            c = {p: run.stats(l[p]) for p in m}; o_ = order(c); known = {p: run.now(l[T + p - s], run.x[p]) for p in mine if p not in m}
            cap = min(max(int(0.7 * len(m)), v["least"]), v["most"])
            wide = [p for p in o_ if run.above(c[p]["c"], v["threshold"])]; run.gap([c[p]["c"] for p in wide], cap); wide = wide[:cap]
            if not wide: run.gap([c[p]["c"] for p in o_], 1); wide = o_[:1]
            back = []
            if len(wide) > 1:
                back = sorted((p for p in known if not run.above(known[p], v["back"], False)), key=lambda p: known[p])
                if len(back) >= last: run.chance_gap([known[p] for p in back], last - 1); back = back[:last - 1]
            last = len(wide); run.write("full", range(T + BL), plain(wide, c), c, back)
            run.passes[-1]["rows"] = list(range(T + BL))
    return run

def grid(n, bl=BL): i = torch.arange(n); return (i[None] // bl) <= (i[:, None] // bl)

def run_block(net, canvas, P, v, o, **kw):
    """Block diffusion, everything recomputed under the block mask: threshold, dynamic, from the left, or editing; commits apart or fused."""
    T = -(-(P + G) // BL) * BL; run = Record(canvas + [MASK] * (T - P), **kw); done = P // BL * BL
    if done: run.write("prefill", range(done), {}, {})
    first = done; pending = []
    for s in range(done, T, BL):
        e = s + BL; mine = run.masks(s, e); i = after = 0; changed = True
        while (m := run.masks(s, e)) or (mine and v is not None and changed and after < 16):
            l = dense(net, run.x[:e], range(e), grid(e)); c = {p: run.stats(l[p]) for p in m}; o_ = order(c); edits = {}
            if v is not None:
                taken = [p for p in o_ if p == o_[0] or run.above(c[p]["c"], v["threshold"], False)]
                for p in mine:
                    if p in m: continue
                    q = run.stats(l[p]); run.margin("threshold", abs(q["c"] - v["edit"]), v["edit"])
                    if q["c"] > v["edit"] and q["tok"] != run.x[p]: edits[p] = (q["tok"], q["c"])
                after += not m; changed = bool(m or edits)
            elif "steps" in o:
                plan = llada_schedule(len(mine), o["steps"] * BL // G); k = plan[i] if i < len(plan) and plan[i] else 1
                if o.get("remasking") == "sequential": taken = sorted(c)[:k]
                else:
                    over = [p for p in o_ if run.above(c[p]["c"], o["threshold"])]; taken = over if len(over) >= k else o_[:k]
                    if len(over) < k: run.gap([c[p]["c"] for p in o_], k)
            else: taken = [p for p in o_ if p == o_[0] or run.above(c[p]["c"], o["threshold"], False)]
            if taken and len(taken) == 1 and o.get("remasking") != "sequential": run.gap([c[p]["c"] for p in o_], 1)
            run.write("block", pending + list(range(s, e)), plain(taken, c) | edits, c); i += 1; pending = []
        if e < T or o.get("commitLast"):
            if o.get("fusedCommit") and e < T: pending = list(range(s, e))
            else: run.write("commit", pending + list(range(s, e)), {}, {}); pending = []
    return run

def run_pipelined(net, canvas, P, v, o, **kw):
    T = -(-(P + G) // BL) * BL; run = Record(canvas + [MASK] * (T - P), **kw); done = P // BL * BL
    if done: run.write("prefill", range(done), {}, {})
    nxt, lo = done, done
    def share(s): return 1 - len(run.masks(s, s + BL)) / BL
    while True:
        if nxt < T and (nxt == lo or share(nxt - BL) >= v["add"]): nxt += BL
        active = list(range(lo, nxt, BL)); clean = next((s for s in active if share(s) < 1), nxt)
        if clean == nxt and nxt == T: return run
        l = dense(net, run.x[:nxt], range(nxt), grid(nxt)); taken, stats = {}, {}
        for s in active:
            c = {p: run.stats(l[p]) for p in run.masks(s, s + BL)}; o_ = order(c); stats |= c
            full = s == lo or share(s - BL) >= v["activate"]
            pick = [p for i, p in enumerate(o_) if run.above(c[p]["c"], v["threshold"]) or full and i == 0]
            if full and len(pick) == 1: run.gap([c[p]["c"] for p in o_], 1)
            taken |= plain(pick, c)
        run.write("block", range(lo, nxt), taken, stats); lo = clean


# ---------------------------------------------------------------- cases
def cases():
    out = []
    def add(model, name, dec, options, values=None, rival=None):
        family = dict(family="mdlm") if model == "llada" else dict(family="block", block_length=BL)
        out.append(dict(model=model, name=name, dec=dec, values=values, options=dict(genLength=G, blockLength=BL) | options, family=family, rival=rival))
    def rule(name, dec, **v): add("llada", f"policy-{name}", run_rule(dec), dict(policy=dict(name=name, **v)), v)
    for cache, extra in (("vicinity", dict(cacheWindow=4, cacheWarmup=2)), ("delayed", dict(refreshInterval=6, cacheWarmup=2)), ("frozen", {}), ("none", dict(suffixWindow=3)), ("dual", dict(suffixWindow=3))):
        name = f"cache-{cache}" + ("-window3" if "suffixWindow" in extra else "")
        drop = "suffixWindow" if "suffixWindow" in extra else "cache"
        add("llada", name, run_cache, dict(cache=cache, steps=16) | extra, None, drop)
    rule("near-ties", near_ties, threshold=0.8, slack=0.05)
    rule("hierarchical", hierarchical, threshold=0.8, low=0.4)
    rule("hierarchical-remask", hierarchical_remask, threshold=0.8, low=0.4, remask=0.4)
    rule("credit", credit, threshold=0.9, decay=0.8, boost=0.7, power=0.2)
    rule("klass", klass, threshold=0.6, divergence=0.5, history=1)
    rule("p2", p2, steps=5, eta=1.0)
    rule("saber", saber, mu=2.0)
    v = dict(threshold=0.5, back=0.9, least=5, most=20); add("llada", "policy-wino", run_wino, dict(policy=dict(name="wino", **v)), v)
    v = dict(threshold=0.8, edit=0.7); add("qwen3", "policy-editing", run_block, dict(policy=dict(name="editing", **v)), v)
    v = dict(threshold=0.8, add=0.3, activate=0.8); add("qwen3", "policy-pipelined", run_pipelined, dict(policy=dict(name="pipelined", **v)), v)
    add("qwen3", "bd-fused-threshold", run_block, dict(threshold=0.8, fusedCommit=True, commitLast=True))
    add("qwen3", "bd-steps-threshold", run_block, dict(threshold=0.7, steps=16))
    add("qwen3", "bd-sequential", run_block, dict(remasking="sequential", steps=16))
    return out

def search(case, net, net32, seed, j):
    P = {"llada": (11, 19), "qwen3": (13, 8)}[case["model"]][j]; v, o = case["values"], case["options"]
    for floor in (3e-3, 2e-3, MIN_MARGIN):
        g = torch.Generator().manual_seed(seed * 1009 + sum(map(ord, case["name"])) * 31 + j)
        for _ in range(400):
            prompt = torch.randint(0, EOS, (P,), generator=g).tolist()
            canvas = prompt + [MASK] * G if case["model"] == "llada" else prompt
            try: run = case["dec"](net, canvas, P, v, o, floor=floor)
            except Reject: continue
            if len(set(run.x[P:])) < 8: continue
            masked_again = sum(len(q["committed"]) for q in run.passes) > len(run.x) - P
            if case["name"].split("-")[-1] in ("remask", "p2", "saber", "wino", "editing") and not masked_again: continue
            if case["name"] == "policy-klass" and len(run.passes) > G - 4: continue
            if case["rival"]:
                other = dict(o, **({"cache": "none"} if case["rival"] == "cache" else {"suffixWindow": G}))
                if case["dec"](net, canvas, P, v, other).x == run.x: continue
            r32 = case["dec"](net32, canvas, P, v, o)
            assert [[c[:2] for c in q["committed"]] for q in run.passes] == [[c[:2] for c in q["committed"]] for q in r32.passes], "float32 decides otherwise"
            return prompt, canvas, run
    raise SystemExit(f"no prompt found for {case['name']} {j}")

def main():
    out, seed = os.path.join(sys.argv[1], "trajectories"), int(sys.argv[2])
    nets = {m: [load(os.path.join(out, m), dt) for dt in (torch.float64, torch.float32)] for m in ("llada", "qwen3")}
    for case in cases():
        if len(sys.argv) > 3 and sys.argv[3] not in case["name"]: continue
        for j in (0, 1):
            prompt, canvas, run = search(case, *nets[case["model"]], seed, j)
            used = {}
            for q in run.passes: used[q["kind"]] = used.get(q["kind"], 0) + 1
            margins = {k: None if math.isinf(m) else float(f"{m:.4g}") for k, m in run.margins.items()}
            e = {"model": case["model"], "case": f"{case['name']}-p{j}", "algorithm": "generate", "params": case["family"] | {"options": case["options"]}, "mask_id": MASK, "suppress": SUPPRESS,
                 "prompt": prompt, "canvas": canvas, "final": run.x, "output": run.x[len(prompt):len(prompt) + G], "nfe": len(run.passes), "nfe_by_kind": used, "margins": margins,
                 "smallest_margin": min((m for m in margins.values() if m is not None)), "passes": run.passes}
            dump(os.path.join(out, case["model"], f"{case['name']}-p{j}.json"), e)
            print(case["model"], e["case"], "nfe", e["nfe"], "margin", e["smallest_margin"], flush=True)

if __name__ == "__main__": main()
