"""Tiny random-weight models plus exact decoding trajectories (golden data for decoder tests).

usage: make_trajectories.py OUT_DIR SEED
Writes OUT_DIR/trajectories/<model>/{config.json,model.safetensors} and one JSON per case and prompt. The forward pass and every decoder
below are written from a specification (sections named at each function) and run in float64; a case is kept only if a float32
run takes exactly the same decisions and every decision met has a margin of at least MIN_MARGIN (see class Run). The forward pass is
checked against transformers; the property tests of section J (1-12, 17-19, 31; of 11 the factor and EB tables) run first, as asserts.
"""
import json, math, os, sys, time
import torch
from safetensors.torch import save_file
from transformers import (LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

torch.set_num_threads(1)
torch.set_grad_enabled(False)
MIN_MARGIN = 1e-3
MASK, EOS, V = 200, 199, 208           # ids 201..207 are padding of the vocabulary; ordinary tokens are 0..198
SUPPRESS = list(range(MASK, V))
D, F, H = 64, 128, 4
G, BL = 32, 8


# ---------------------------------------------------------------- model
class KV:
    """Keys (after RoPE) and values per layer, one slot per canvas position; valid[t] says the slot holds something."""
    def __init__(self, net, n):
        self.k = [torch.zeros(n, net.nkv, net.hd, dtype=net.dt) for _ in range(net.layers)]
        self.v = [t.clone() for t in self.k]
        self.valid = torch.zeros(n, dtype=torch.bool)
    def clone(self):
        o = object.__new__(KV)
        o.k, o.v, o.valid = [t.clone() for t in self.k], [t.clone() for t in self.v], self.valid.clone()
        return o
    def truncate(self, n):
        o = self.clone(); o.valid[n:] = False
        return o


class Net:
    """LLaMA-family forward over an explicit plan: tokens at positions (= KV slots), visible(q, k) by a rule on positions (section 0)."""
    def __init__(self, cfg, sd, dt, rule):
        self.dt, self.rule = dt, rule                      # rule: "full" | ("grid", Bl, off)   (causal = ("grid", 1, 0))
        self.w = {k: v.to(dt) for k, v in sd.items()}
        self.layers, self.nh, self.nkv = cfg.num_hidden_layers, cfg.num_attention_heads, cfg.num_key_value_heads
        self.hd = getattr(cfg, "head_dim", None) or cfg.hidden_size // self.nh
        self.eps = cfg.rms_norm_eps
        rp = cfg.rope_parameters if getattr(cfg, "rope_parameters", None) else {"rope_theta": cfg.rope_theta}
        self.inv = float(rp["rope_theta"]) ** (-torch.arange(0, self.hd, 2, dtype=torch.float64) / self.hd)
        self.head = self.w.get("lm_head.weight", self.w["model.embed_tokens.weight"])
        self.calls = 0
    def with_rule(self, rule):
        o = object.__new__(Net); o.__dict__.update(self.__dict__); o.rule = rule
        return o
    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.w[name]
    def lin(self, x, name):
        y = x @ self.w[name + ".weight"].T
        b = self.w.get(name + ".bias")
        return y if b is None else y + b
    def rope(self, x, pos):
        a = (pos.double()[:, None] * self.inv[None])
        c, s = a.cos().to(self.dt)[:, None], a.sin().to(self.dt)[:, None]
        h = self.hd // 2
        x1, x2 = x[..., :h], x[..., h:]
        return torch.cat([x1 * c - x2 * s, x2 * c + x1 * s], -1)
    def forward(self, tokens, pos, kv):
        """tokens at canvas positions pos; kv is written in place at those slots; returns logits [len(pos), V]."""
        self.calls += 1
        pos = torch.as_tensor(pos, dtype=torch.long); n = len(pos)
        kv.valid[pos] = True
        keys = kv.valid.nonzero()[:, 0]
        if self.rule == "full":
            vis = torch.ones(n, len(keys), dtype=torch.bool)
        else:
            _, bl, off = self.rule
            vis = ((keys[None] + off) // bl) <= ((pos[:, None] + off) // bl)
        x = self.w["model.embed_tokens.weight"][torch.as_tensor(tokens, dtype=torch.long)]
        for l in range(self.layers):
            p = f"model.layers.{l}."
            h = self.norm(x, p + "input_layernorm.weight")
            q = self.lin(h, p + "self_attn.q_proj").view(n, self.nh, self.hd)
            k = self.lin(h, p + "self_attn.k_proj").view(n, self.nkv, self.hd)
            v = self.lin(h, p + "self_attn.v_proj").view(n, self.nkv, self.hd)
            if p + "self_attn.q_norm.weight" in self.w:
                q, k = self.norm(q, p + "self_attn.q_norm.weight"), self.norm(k, p + "self_attn.k_norm.weight")
            q, k = self.rope(q, pos), self.rope(k, pos)
            kv.k[l][pos], kv.v[l][pos] = k, v
            K = kv.k[l][keys].repeat_interleave(self.nh // self.nkv, 1)
            W = kv.v[l][keys].repeat_interleave(self.nh // self.nkv, 1)
            s = torch.einsum("qhd,khd->hqk", q, K) / math.sqrt(self.hd)
            s = s.masked_fill(~vis[None], -math.inf).softmax(-1)
            a = torch.einsum("hqk,khd->qhd", s, W).reshape(n, -1)
            x = x + self.lin(a, p + "self_attn.o_proj")
            h = self.norm(x, p + "post_attention_layernorm.weight")
            x = x + self.lin(torch.nn.functional.silu(self.lin(h, p + "mlp.gate_proj")) * self.lin(h, p + "mlp.up_proj"), p + "mlp.down_proj")
        return self.norm(x, "model.norm.weight") @ self.head.T
    def full(self, canvas):
        return self.forward(canvas, range(len(canvas)), KV(self, len(canvas)))


# ---------------------------------------------------------------- one run: canvas, passes, margins
class Reject(Exception): pass

class Run:
    """Canvas, record of passes, and the smallest margins met. All margins are relative: gap / max(1, |value|).
      logit: best minus second-best logit of every committed token (and every AR-style token)
      rank:  ranking value last taken minus first refused, where a rank decided
      threshold: distance of every tested value from the threshold (tau, factor bound, EB bound)"""
    def __init__(self, canvas, suppress=SUPPRESS, floor=0.0, hook=None):
        self.x, self.suppress, self.floor, self.hook = list(canvas), suppress, floor, hook
        self.known = {i for i, t in enumerate(canvas) if t != MASK}
        self.passes, self.margins = [], {"logit": math.inf, "rank": math.inf, "threshold": math.inf}
    def margin(self, kind, gap, value):
        m = gap / max(1.0, abs(value))
        self.margins[kind] = min(self.margins[kind], m)
        if m < self.floor: raise Reject(kind)
    def stats(self, row, metric="confidence"):
        """token, ranking value, confidence, entropy, gap of the two best logits, best logit — of one row of logits (section 0)."""
        r = row.clone(); r[self.suppress] = -math.inf
        top, idx = r.topk(2)
        lse = torch.logsumexp(r, -1)
        lp = r - lse; p = lp.exp()
        if metric == "dream-entropy": ent = -(p * (p + 1e-10).log()).sum().item()
        else: ent = -(p * lp.masked_fill(p == 0, 0)).sum().item()
        c = p[idx[0]].item()
        value = {"confidence": c, "entropy": -ent, "dream-entropy": -ent, "topk_margin": c - p[idx[1]].item()}[metric]
        tok = int((r == top[0]).nonzero()[0])
        return dict(tok=tok, value=value, c=c, ent=ent, gap=(top[0] - top[1]).item(), best=top[0].item())
    def see(self, kind, rows, logits):
        if self.hook: self.hook(kind, list(rows), logits, list(self.x))
    def commit(self, kind, rows, taken, stats, forwards=1, scope=None, progress=True):
        out = []
        for p in sorted(taken):
            s = stats[p]
            assert p == len(self.x) or self.x[p] == MASK and p not in self.known, "known position changed (J12)"
            assert scope is None or p in scope, "outside the scope (J12)"
            assert s["tok"] not in self.suppress, "suppressed id (J12)"
            self.margin("logit", s["gap"], s["best"])
            if p == len(self.x): self.x.append(s["tok"])
            else: self.x[p] = s["tok"]
            out.append([p, s["tok"], float(f"{s['value']:.7g}")])
        if progress: assert out, "a pass without a commit (J12)"
        e = {"kind": kind, "rows": list(rows), "committed": out}
        if forwards != 1: e["forwards"] = forwards
        self.passes.append(e)
    @property
    def nfe(self): return sum(p.get("forwards", 1) for p in self.passes)
    def masks(self, lo, hi): return [i for i in range(lo, hi) if self.x[i] == MASK]


# ---------------------------------------------------------------- schedules and selection rules
def llada_schedule(m, S):
    """section A: base + 1 for the first m mod S steps."""
    return [m // S + (1 if i < m % S else 0) for i in range(S)]

def dllm_schedule(m, S):
    """section E, dllm samplers: round-half-even(left / (steps left)), zeros removed."""
    out = []
    for i in range(S):
        k = min(m, round(m / (S - i))); m -= k
        if k: out.append(k)
    return out

def dream_schedule(m, S, eps=1e-3, clamp=False):
    """section D: int(left * (1 - s/t)) over linspace(1, eps, S+1), the rest on the last step."""
    t = [1 + (eps - 1) * i / S for i in range(S + 1)]
    t32 = torch.linspace(1, eps, S + 1)
    out = []
    for i in range(S):
        v = m * (1 - t[i + 1] / t[i])
        k = m if i == S - 1 else int(v)
        assert i == S - 1 or int(m * (1 - t32[i + 1] / t32[i])) == k, "float32 and float64 schedules differ"
        if clamp and m: k = max(1, k)
        out.append(k); m -= k
    return out

def order(c): return sorted(c, key=lambda p: (-c[p]["value"], p))

def boundary(run, c, o, k):
    if 0 < k < len(o): run.margin("rank", c[o[k - 1]]["value"] - c[o[k]]["value"], c[o[k - 1]]["value"])

def take_top(run, c, k):
    o = order(c); k = min(k, len(o))
    boundary(run, c, o, k)
    return o[:k]

def take_threshold(run, c, tau, strict=False, least=1):
    """all above tau; if fewer than `least`, the top `least` (1 in sections B and C; k_i in SDAR's dynamic rule, section E)."""
    o = order(c); least = min(least, len(o))
    for p in o: run.margin("threshold", abs(c[p]["c"] - tau), tau)
    over = [p for p in o if (c[p]["c"] > tau if strict else c[p]["c"] >= tau)]
    if len(over) >= least: return over
    boundary(run, c, o, least)
    return o[:least]

def take_factor(run, c, f):
    """clean rule of section B: the longest prefix with (n+1)(1-c_n) < f for every n from 2, at least one."""
    o = order(c); n = 1
    while n < len(o):
        v = (n + 2) * (1 - c[o[n]]["c"])
        run.margin("threshold", abs(v - f), f)
        if not v < f: break
        n += 1
    boundary(run, c, o, n)
    return o[:n]

def take_eb(run, c, gamma):
    """EB-sampler, section E: the largest k with sum H - max H <= gamma in ranking order, at least one."""
    o = order(c); k = 1
    while k < len(o):
        h = [c[p]["ent"] for p in o[:k + 1]]
        v = sum(h) - max(h)
        run.margin("threshold", abs(v - gamma), gamma)
        if v > gamma: break
        k += 1
    boundary(run, c, o, k)
    return o[:k]

def select(run, c, rule, k=None):
    kind = rule["rule"]
    if kind == "schedule": return take_top(run, c, k)
    if kind == "threshold": return take_threshold(run, c, rule["threshold"], rule.get("strict", False))
    if kind == "dynamic": return take_threshold(run, c, rule["threshold"], True, k)
    if kind == "factor": return take_factor(run, c, rule["factor"])
    if kind == "eb": return take_eb(run, c, rule["gamma"])
    if kind == "sequential": return sorted(c)[:k]
    raise ValueError(kind)


# ---------------------------------------------------------------- decoders
def run_ar(net, prompt, n, stop=(), **kw):
    """AR greedy with a KV cache; the last token is never forwarded."""
    run = Run(prompt, **kw); kv = KV(net, len(prompt) + n); rows = list(range(len(prompt)))
    for i in range(n):
        l = net.forward([run.x[p] for p in rows], rows, kv)
        run.see("commit" if i else "prefill", rows, l)
        e = len(run.x)
        run.commit("commit" if i else "prefill", rows, [e], {e: run.stats(l[-1])})
        rows = [e]
        if run.x[e] in stop: break
    return run

def run_llada(net, canvas, P, Bl, rule, cache="none", refresh=0, cfg=0.0, metric="confidence", steps=None, schedule="llada", **kw):
    """sections A and B (none / prefix / dual), and E "dllm MDLM" with schedule="dllm". Blocks count from the prompt's end."""
    run = Run(canvas, **kw); T = len(canvas); blocks = -(-(T - P) // Bl)
    if steps: S = -(-steps // blocks) if schedule == "dllm" else steps // blocks
    for b in range(blocks):
        s, e = P + b * Bl, min(P + (b + 1) * Bl, T)
        m = run.masks(s, e)
        plan = (dllm_schedule if schedule == "dllm" else llada_schedule)(len(m), S) if rule["rule"] == "schedule" else None
        i, kv = 0, None
        while run.masks(s, e):
            if cache == "none" or i == 0 or (refresh and i % refresh == 0):
                kind, rows, kv = "full", list(range(T)), KV(net, T)
                l = net.forward(run.x, rows, kv)
                if cfg:
                    lu = net.full([MASK] * P + run.x[P:]); l = lu + (cfg + 1) * (l - lu)
                if cache == "prefix": kv = kv.truncate(s)
            elif cache == "prefix":
                kind, rows = "suffix", list(range(s, T))
                l = net.forward(run.x[s:], rows, kv.clone())           # its keys and values are discarded
            else:
                kind, rows = "block", list(range(s, e))
                l = net.forward(run.x[s:e], rows, kv)                  # rows [s,e) overwritten in place, the rest frozen
            run.see(kind, rows, l)
            c = {p: run.stats(l[rows.index(p)], metric) for p in run.masks(s, e)}
            run.commit(kind, rows, select(run, c, rule, plan[i] if plan else None), c, forwards=2 if cfg else 1, scope=range(s, e))
            i += 1
    return run

def run_dream(net, canvas, P, steps, alg, eps=1e-3, clamp=False, **kw):
    """section D: whole canvas, shift, no blocks. A pass whose count is 0 is still run (unless clamp)."""
    run = Run(canvas, **kw); T = len(canvas)
    metric = {"maskgit_plus": "confidence", "entropy": "dream-entropy", "topk_margin": "topk_margin"}[alg]
    for k in dream_schedule(len(run.masks(P, T)), steps, eps, clamp):
        m = run.masks(P, T)
        if not m: break
        rows = list(range(T)); l = net.full(run.x)
        run.see("full", rows, l)
        c = {p: run.stats(l[p - 1], metric) for p in m}
        run.commit("full", rows, take_top(run, c, k) if k else [], c, progress=False)
    return run

def run_bd(net, prompt, gen, Bl, off, rule, steps=None, schedule="sdar", metric="confidence", **kw):
    """section E, SDAR / dllm BD3LM: block grid with offset, no shift, exact KV, transient passes then one commit pass per block."""
    P = len(prompt); T = -(-(P + gen + off) // Bl) * Bl - off
    run = Run(list(prompt) + [MASK] * (T - P), **kw)
    net = net.with_rule(("grid", Bl, off))
    kv = KV(net, T); done = max(0, (P + off) // Bl * Bl - off)
    if done:
        l = net.forward(run.x[:done], range(done), kv); run.see("prefill", range(done), l)
        run.commit("prefill", range(done), [], {}, progress=False)
    while done < T:
        s, e = done, (done + off) // Bl * Bl + Bl - off
        rows = list(range(s, e)); i = 0
        m = len(run.masks(s, e))
        plan = None if steps is None else llada_schedule(Bl, steps) if schedule == "sdar" else dllm_schedule(m, steps)
        while run.masks(s, e):
            l = net.forward(run.x[s:e], rows, kv.clone()); run.see("block", rows, l)
            c = {p: run.stats(l[p - s], metric) for p in run.masks(s, e)}
            run.commit("block", rows, select(run, c, rule, plan[i] if plan else None), c, scope=range(s, e))
            i += 1
        l = net.forward(run.x[s:e], rows, kv); run.see("commit", rows, l)
        run.commit("commit", rows, [], {}, progress=False)
        done = e
    return run

def run_v2(net, prompt, gen, Bl, sub, tau, block_cache, stop=(), **kw):
    """section C. ceil(gen/Bl) blocks after the prefill; position 0 of the active block is always known."""
    P = len(prompt); run = Run(prompt, **kw)
    net = net.with_rule(("grid", Bl, 0))
    done = P // Bl * Bl; kv = KV(net, P + gen + 2 * Bl)
    def ended():
        for t in run.x[P:]:
            if t == MASK: return False
            if t in stop: return True
        return False
    if done:
        l = net.forward(run.x[:done], range(done), kv); run.see("prefill", range(done), l)
        run.commit("prefill", range(done), [P] if P % Bl == 0 else [], {P: run.stats(l[-1])} if P % Bl == 0 else {}, progress=False)
    for _ in range(-(-gen // Bl)):
        if ended(): break
        s, e = done, done + Bl
        run.x += [MASK] * (e - len(run.x))
        assert run.x[s] != MASK, "position 0 of an active block is masked (J18)"
        tkv = None
        for a in range(s, e, sub):
            while run.masks(a, a + sub) and not ended():
                if not block_cache or tkv is None or run.x[a] == MASK:
                    lo, hi, tkv = s, e, kv.clone()
                else: lo, hi = a, a + sub
                rows = list(range(lo, hi)); l = net.forward(run.x[lo:hi], rows, tkv); run.see("block", rows, l)
                c = {p: run.stats(l[p - 1 - lo]) for p in run.masks(a, a + sub)}
                run.commit("block", rows, take_threshold(run, c, tau, True), c, scope=range(a, a + sub))
            if ended(): break
        if ended(): break
        rows = list(range(s, e)); l = net.forward(run.x[s:e], rows, kv); run.see("commit", rows, l)
        run.commit("commit", rows, [e], {e: run.stats(l[-1])}); done = e
    return run


# ---------------------------------------------------------------- models
def build(name, seed):
    g = torch.Generator().manual_seed(seed)
    common = dict(vocab_size=V, hidden_size=D, intermediate_size=F, num_attention_heads=H, max_position_embeddings=512, attn_implementation="eager")
    if name == "llada": m = LlamaForCausalLM(LlamaConfig(**common, num_hidden_layers=3, num_key_value_heads=H, rms_norm_eps=1e-5, rope_theta=500000.0, tie_word_embeddings=False))
    elif name == "llama": m = LlamaForCausalLM(LlamaConfig(**common, num_hidden_layers=2, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True))
    elif name in ("dream", "fast-dllm-v2"): m = Qwen2ForCausalLM(Qwen2Config(**common, num_hidden_layers=3, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0, tie_word_embeddings=name != "dream"))
    else: m = Qwen3ForCausalLM(Qwen3Config(**common, num_hidden_layers=3, num_key_value_heads=2, head_dim=24, rms_norm_eps=1e-6, rope_theta=1000000.0, tie_word_embeddings=True))
    for k, p in m.named_parameters():
        r = torch.randn(p.shape, generator=g)
        if "norm" in k: p.copy_((1.6 if "q_norm" in k or "k_norm" in k else 1) * (1 + 0.2 * r))
        elif p.ndim == 1: p.copy_(0.5 * r)
        elif "embed" in k or "lm_head" in k: p.copy_(0.75 * r)
        else: p.copy_(r * (2.0 if "q_proj" in k or "k_proj" in k else 1.4) / p.shape[1] ** 0.5)
    m.model.embed_tokens.weight[MASK] *= 0.4                     # the context, not the mask token, decides the prediction
    m = m.eval().float()
    return m, {k: v for k, v in m.state_dict().items() if not (k == "lm_head.weight" and m.config.tie_word_embeddings)}

def check_forward(model, sd, rules):
    g = torch.Generator().manual_seed(5)
    for n in (7, 41):
        t = torch.randint(0, V, (n,), generator=g)
        for rule in rules:
            i = torch.arange(n)
            vis = torch.ones(n, n, dtype=torch.bool) if rule == "full" else (i[None] // rule[1]) <= (i[:, None] // rule[1])
            add = torch.zeros(1, 1, n, n, dtype=torch.float64).masked_fill(~vis, torch.finfo(torch.float64).min)
            ref = model.double()(input_ids=t[None], attention_mask=add, use_cache=False).logits[0]
            d = (Net(model.config, sd, torch.float64, rule).full(t.tolist()) - ref).abs().max().item()
            d32 = (Net(model.config, sd, torch.float32, rule).full(t.tolist()).double() - ref).abs().max().item()
            assert d < 2e-4 and d32 < 2e-4, (rule, d, d32)        # transformers rotates with float32 angles even in float64
            model.float()
    return d, d32

def write_model(folder, name, model, sd):
    os.makedirs(folder, exist_ok=True)
    c = model.config.to_dict() | {"architectures": [type(model).__name__]}
    c["rope_theta"] = c["rope_parameters"]["rope_theta"]          # published checkpoints carry the top-level key
    if name == "dream": c |= {"model_type": "Dream", "architectures": ["DreamModel"], "mask_token_id": MASK}
    elif name == "fast-dllm-v2": c |= {"model_type": "Fast_dLLM_Qwen", "architectures": ["Fast_dLLM_QwenForCausalLM"], "bd_size": BL, "mask_token_id": MASK}
    elif name == "llada":
        L = model.config.num_hidden_layers
        ren = {"model.embed_tokens.weight": "model.transformer.wte.weight", "model.norm.weight": "model.transformer.ln_f.weight", "lm_head.weight": "model.transformer.ff_out.weight"}
        for i in range(L):
            for a, b in {"self_attn.q_proj": "q_proj", "self_attn.k_proj": "k_proj", "self_attn.v_proj": "v_proj", "self_attn.o_proj": "attn_out", "mlp.gate_proj": "ff_proj",
                         "mlp.up_proj": "up_proj", "mlp.down_proj": "ff_out", "input_layernorm": "attn_norm", "post_attention_layernorm": "ff_norm"}.items():
                ren[f"model.layers.{i}.{a}.weight"] = f"model.transformer.blocks.{i}.{b}.weight"
        sd = {ren[k]: v for k, v in sd.items()}
        c = dict(model_type="llada", architectures=["LLaDAModelLM"], d_model=D, n_heads=H, n_kv_heads=H, n_layers=L, mlp_hidden_size=F, vocab_size=V, embedding_size=V,
                 rope=True, rope_theta=500000.0, rms_norm_eps=1e-5, block_type="llama", activation_type="silu", layer_norm_type="rms", include_bias=False, include_qkv_bias=False,
                 weight_tying=False, max_sequence_length=512, mask_token_id=MASK, eos_token_id=EOS, pad_token_id=EOS)
    json.dump(c, open(f"{folder}/config.json", "w"), indent=1)
    save_file({k: v.contiguous() for k, v in sd.items()}, f"{folder}/model.safetensors", metadata={"format": "pt"})


# ---------------------------------------------------------------- cases
def mixed(lo=3, hi=6):
    def ok(run):
        n = [len(p["committed"]) for p in run.passes if p["kind"] not in ("prefill", "commit")]
        return 1 in n and 2 in n and lo <= max(n) <= hi
    return ok

def several(run):
    return len({len(p["committed"]) for p in run.passes if p["committed"]}) >= 2

def trace(run): return [(p["kind"] == "commit", p["committed"]) for p in run.passes]

def differ(a, b):
    """largest difference of what two runs commit: positions or tokens (infinite), else confidences"""
    d = 0.0
    for (_, p), (_, q) in zip(trace(a), trace(b)):
        if [c[:2] for c in p] != [c[:2] for c in q]: return math.inf
        d = max([d] + [abs(x[2] - y[2]) for x, y in zip(p, q)])
    return d

INFILL = ((12, 15), (16, 24), (29, 32))      # offsets after the prompt that are given: part of block 1, all of block 2, the end of block 3

def cases():
    """model, name, prompt lengths, algorithm, section, parameters, decoder(net, canvas, P, params, **kw), quality test, rival parameters"""
    out = []
    def add(model, name, lens, algorithm, section, params, dec, ok=None, rival=None, infill=False, vary=None):
        out.append(dict(model=model, name=name, lens=lens, algorithm=algorithm, section=section, params=params, dec=dec, ok=ok, rival=rival or [], infill=infill, vary=vary or [{}]))

    # --- LLaDA and Fast-dLLM v1
    def llada(net, x, P, p, **kw):
        return run_llada(net, x, P, p["block_length"], p["select"], p["cache"], p["refresh"], p["cfg_scale"], p["metric"], p.get("steps"), p["schedule"], **kw)
    def lp(cache="none", select=None, steps=None, metric="confidence", refresh=0, cfg=0.0, schedule="llada", bl=BL):
        p = dict(attention="full", shift=False, block_length=bl, gen_length=G, cache=cache, refresh=refresh, select=select or {"rule": "schedule"}, metric=metric, cfg_scale=cfg, schedule=schedule, temperature=0)
        if steps: p["steps"] = steps
        return p
    L = (11, 19)
    th = [{"select": {"rule": "threshold", "threshold": t, "strict": False}} for t in (0.9, 0.85, 0.8, 0.75)]
    fa = [{"select": {"rule": "factor", "factor": f}} for f in (1.0, 0.8, 1.2)]
    for cache in ("none", "prefix", "dual"):
        sec = "A" if cache == "none" else "B"
        rival = [{"cache": c} for c in ("none", "prefix", "dual") if c != cache] if cache != "none" else []
        for s in (32, 16, 8): add("llada", f"{cache}-steps{s}", L, "llada", sec, lp(cache, steps=s), llada, rival=rival)
        add("llada", f"{cache}-threshold", L, "llada", "B", lp(cache), llada, mixed(), rival, vary=th)
        add("llada", f"{cache}-factor", L, "llada", "B", lp(cache), llada, mixed(), rival, vary=fa)
        for m in ("entropy", "topk_margin"):
            add("llada", f"{cache}-steps16-{m}", L, "llada", sec + ",0", lp(cache, steps=16, metric=m), llada, rival=rival + [{"metric": "confidence"}])
        if cache != "none": add("llada", f"{cache}-steps32-refresh3", L, "llada", "B,J2", lp(cache, steps=32, refresh=3), llada, rival=rival + [{"refresh": 0}])
    add("llada", "none-steps12", L, "llada", "A", lp(steps=12), llada)
    for m, g in (("entropy", (0.5, 0.3, 1.0)), ("confidence", (0.5, 0.3, 1.0))):
        add("llada", f"none-eb-{m}", L, "llada", "E (EB-sampler)", lp(metric=m), llada, mixed(), vary=[{"select": {"rule": "eb", "gamma": x}} for x in g])
    add("llada", "none-cfg1-steps16", L, "llada", "A", lp(steps=16, cfg=1.0), llada, rival=[{"cfg_scale": 0.0}])
    for c in ("none", "dual"): add("llada", f"{c}-infill-steps16", L, "llada", "A,J12", lp(c, steps=16), llada, infill=True, rival=[{"cache": "none"}] if c != "none" else [])
    add("llada", "none-infill-threshold", L, "llada", "B,J12", lp(), llada, infill=True, vary=th, ok=several)

    # --- dllm MDLM on Qwen3 (full attention, no shift)
    M = (10, 17)
    for n, bl, s in (("b8-steps32", 8, 32), ("b8-steps12", 8, 12), ("b32-steps10", 32, 10)):
        add("qwen3", f"mdlm-{n}", M, "mdlm", "E (dllm samplers)", lp(steps=s, schedule="dllm", bl=bl), llada)
    add("qwen3", "mdlm-b8-threshold", M, "mdlm", "E (dllm samplers), B", lp(schedule="dllm"), llada, mixed(), vary=th)
    add("qwen3", "mdlm-b32-threshold", M, "mdlm", "E (dllm samplers), B", lp(schedule="dllm", bl=32), llada, mixed(hi=10), vary=th)

    # --- block diffusion on Qwen3 (block grid, no shift)
    def bd(net, x, P, p, **kw):
        return run_bd(net, x, p["gen_length"], p["block_length"], p["grid_offset"], p["select"], p.get("steps_per_block"), p["schedule"], p["metric"], **kw)
    def bp(select=None, steps=None, schedule="sdar", off=0, metric="confidence"):
        p = dict(attention="block", shift=False, block_length=BL, grid_offset=off, gen_length=G, select=select or {"rule": "schedule"}, metric=metric, schedule=schedule, commit_last=True, temperature=0)
        if steps: p["steps_per_block"] = steps
        return p
    B = (13, 5)
    ths = [{"select": {"rule": "threshold", "threshold": t, "strict": True}} for t in (0.9, 0.85, 0.8, 0.75)]
    for s in (8, 4, 3): add("qwen3", f"bd-static-s{s}", B, "block-diffusion", "E (SDAR)", bp(steps=s), bd)
    add("qwen3", "bd-threshold", B, "block-diffusion", "E (SDAR)", bp(), bd, mixed(hi=8), vary=ths)
    add("qwen3", "bd-dynamic-s4", B, "block-diffusion", "E (SDAR)", bp({"rule": "dynamic"}, 4), bd, several, vary=[{"select": {"rule": "dynamic", "threshold": t, "strict": True}} for t in (0.85, 0.75, 0.65)])
    add("qwen3", "bd-sequential-s4", B, "block-diffusion", "E (SDAR)", bp({"rule": "sequential"}, 4), bd)
    add("qwen3", "bd-factor", B, "block-diffusion", "B, E (SDAR)", bp(), bd, mixed(hi=8), vary=fa)
    add("qwen3", "bd-eb-entropy", B, "block-diffusion", "E (EB-sampler)", bp(metric="entropy"), bd, mixed(hi=8), vary=[{"select": {"rule": "eb", "gamma": x}} for x in (0.5, 0.3, 1.0)])
    add("qwen3", "bd-offset-static-s3", B, "block-diffusion", "0, E (dllm samplers)", bp(steps=3, schedule="dllm", off="-P mod block_length"), bd)
    add("qwen3", "bd-offset-threshold", B, "block-diffusion", "0, E (dllm samplers)", bp(off="-P mod block_length"), bd, mixed(hi=8), vary=ths)

    # --- Fast-dLLM v2
    def v2(net, x, P, p, **kw): return run_v2(net, x, p["max_new_tokens"], p["bd_size"], p["small_block_size"], p["threshold"], p["use_block_cache"], p["stop"], **kw)
    def vp(t, cache): return dict(attention="block", shift=True, bd_size=BL, small_block_size=4, max_new_tokens=G, blocks=-(-G // BL), threshold=t, strict=True, use_block_cache=cache, stop=[], temperature=0)
    def v2mix(run):
        n = [len(p["committed"]) for p in run.passes if p["kind"] == "block"]
        return {1, 2, 3} <= set(n)
    vt = [{"threshold": t} for t in (0.9, 0.85, 0.8, 0.75, 0.7)]
    C = (11, 21)
    for cache, tag in ((False, "nocache"), (True, "blockcache")):
        rv = [{"use_block_cache": not cache}]
        add("fast-dllm-v2", f"tau1-{tag}", C, "fast-dllm-v2", "C", vp(1.0, cache), v2, rival=rv)
        add("fast-dllm-v2", f"threshold-{tag}", C, "fast-dllm-v2", "C", vp(None, cache), v2, v2mix, rv, vary=vt)
    add("fast-dllm-v2", "threshold-blockcache-aligned", (8, 16), "fast-dllm-v2", "C,J18", vp(None, True), v2, several, [{"use_block_cache": False}], vary=vt)
    add("fast-dllm-v2", "threshold-blockcache-short", (3, 6), "fast-dllm-v2", "C", vp(None, True), v2, several, [{"use_block_cache": False}], vary=vt)
    add("fast-dllm-v2", "threshold-nocache-stop", C, "fast-dllm-v2", "C,J21", vp(None, False), v2, several, vary=vt)

    # --- Dream
    def dream(net, x, P, p, **kw): return run_dream(net, x, P, p["steps"], p["alg"], p["eps"], p["clamp"], **kw)
    def dp(s, alg, clamp=False): return dict(attention="full", shift=True, gen_length=G, steps=s, alg=alg, eps=1e-3, clamp=clamp, alg_temp=0, temperature=0)
    N = (9, 14)
    for s in (32, 16, 8):
        for alg in ("maskgit_plus", "entropy", "topk_margin"):
            add("dream", f"{alg}-steps{s}", N, "dream", "D", dp(s, alg), dream, rival=[{"alg": "maskgit_plus"}] if alg != "maskgit_plus" else [])
    add("dream", "maskgit_plus-steps32-clamp", N, "dream", "D", dp(32, "maskgit_plus", True), dream, rival=[{"clamp": False}])

    # --- AR
    def ar(net, x, P, p, **kw): return run_ar(net, x, p["max_new_tokens"], p["stop"], **kw)
    A = (7, 12)
    add("llama", "greedy24", A, "ar", "J31", dict(attention="causal", shift=True, max_new_tokens=24, stop=[], temperature=0), ar)
    add("llama", "greedy24-stop", A, "ar", "J31", dict(attention="causal", shift=True, max_new_tokens=24, stop=[], temperature=0), ar)
    return out

RULE = {"llada": "full", "dream": "full", "qwen3": "full", "fast-dllm-v2": ("grid", BL, 0), "llama": ("grid", 1, 0)}

def resolve(params, P):
    p = dict(params)
    if p.get("grid_offset") == "-P mod block_length": p["grid_offset"] = -P % p["block_length"]
    return p

def search(case, net, net32, seed, j):
    P = case["lens"][j]; sup = [] if case["algorithm"] == "ar" else SUPPRESS
    fixed = case["algorithm"] in ("llada", "mdlm", "dream")
    tries = 0
    for floor in (4e-3, 2.5e-3, 1.5e-3, MIN_MARGIN):
        for var in case["vary"]:
            g = torch.Generator().manual_seed(seed * 1009 + sum(map(ord, case["model"] + case["name"])) * 31 + j)
            for _ in range(40):
                tries += 1
                prompt = torch.randint(0, EOS, (P,), generator=g).tolist(); given = torch.randint(0, EOS, (G,), generator=g).tolist()
                gen = [MASK] * G
                if case["infill"]:
                    for lo, hi in INFILL: gen[lo:hi] = given[lo:hi]
                canvas = prompt + gen if fixed else prompt
                p = resolve(case["params"] | var, P)
                try:
                    run = case["dec"](net, canvas, P, p, suppress=sup, floor=floor)
                    if case["name"].endswith("stop"):
                        new = run.x[P:]
                        pick = [t for i, t in enumerate(new) if 9 <= i < 18 and new.index(t) == i and t < EOS]
                        if not pick: continue
                        p["stop"] = [pick[-1]]; whole = run
                        run = case["dec"](net, canvas, P, p, suppress=sup, floor=floor)
                        cut = new.index(pick[-1]) + 1
                        assert run.x[P:P + cut] == new[:cut] and run.nfe < whole.nfe
                except Reject: continue
                new = run.x[P:]
                if len(set(new)) < (6 if p.get("stop") else 8): continue
                if case["ok"] and not case["ok"](run): continue
                if any(differ(run, case["dec"](net, canvas, P, p | r, suppress=sup)) < 2e-2 for r in case["rival"]): continue
                r32 = case["dec"](net32, canvas, P, p, suppress=sup)
                d = differ(run, r32)
                assert d < 1e-3 and len(run.passes) == len(r32.passes) and run.x == r32.x, "float32 run differs"
                return prompt, canvas, p, run, d, tries
    raise SystemExit(f"no prompt found for {case['model']}/{case['name']} {j}")

def dump(path, e):
    passes = e.pop("passes"); c = lambda v: json.dumps(v, separators=(",", ":"))
    with open(path, "w") as f:
        f.write("{" + ",\n".join(f"{c(k)}:{c(v)}" for k, v in e.items()))
        f.write(',\n"passes":[\n' + ",\n".join(c(p) for p in passes) + "\n]}\n")

def write_case(out, case, j, res):
    prompt, canvas, p, run, d32, tries = res
    P = len(prompt); used = {}
    for q in run.passes: used[q["kind"]] = used.get(q["kind"], 0) + q.get("forwards", 1)
    gen = run.x[P:]
    if p.get("stop"):
        at = [i for i, t in enumerate(gen) if t in p["stop"] and MASK not in gen[:i]]
        if at: gen = gen[:at[0] + 1]
    gen = gen[:p.get("gen_length", p.get("max_new_tokens"))]
    assert MASK not in gen
    mg = {k: (None if math.isinf(v) else float(f"{v:.4g}")) for k, v in run.margins.items()}
    smallest = min(v for v in mg.values() if v is not None)
    e = {"model": case["model"], "case": f"{case['name']}-p{j}", "algorithm": case["algorithm"], "section": case["section"], "params": p, "mask_id": None if case["algorithm"] == "ar" else MASK,
         "suppress": run.suppress, "prompt": prompt, "canvas": canvas, "final": run.x, "output": gen, "nfe": run.nfe, "nfe_by_kind": used, "margins": mg, "smallest_margin": smallest,
         "float32_confidence_difference": float(f"{d32:.3g}"), "passes": run.passes}
    dump(os.path.join(out, case["model"], f"{case['name']}-p{j}.json"), e)
    return smallest


# ---------------------------------------------------------------- property tests (section J)
def properties(models, seed):
    g = torch.Generator().manual_seed(seed + 77)
    done = []
    def prompt(n): return torch.randint(0, EOS, (n,), generator=g).tolist()
    f64 = lambda name, rule=None: Net(models[name][0].config, models[name][1], torch.float64, rule or RULE[name])
    sched = {"rule": "schedule"}; thr = lambda t, s=False: {"rule": "threshold", "threshold": t, "strict": s}
    llada = f64("llada"); one = f64("llada"); one.layers = 1

    def against_uncached(net, P, cache, **kw):
        """largest |cached - uncached| logits per pass of one LLaDA run: (kind, first pass of its block?, difference)"""
        out = []; state = {}
        def hook(kind, rows, l, x):
            if cache == "prefix" and kind == "suffix" or cache == "dual" and kind == "block" or kind == "full":
                out.append((kind, (l - net.full(x)[rows]).abs().max().item()))
        r = run_llada(net, prompt(P) + [MASK] * G, P, BL, cache=cache, hook=hook, **kw)
        return r, out

    # 1: a 1-layer bidirectional model is exact at every step   2: the first pass of every block is exact   3: >= 2 layers differ afterwards
    for cache in ("prefix", "dual"):
        for P in (1, 11, 16):
            _, o = against_uncached(one, P, cache, rule=sched, steps=16); assert max(d for _, d in o) < 1e-10 and {k for k, _ in o} == {"full", "suffix" if cache == "prefix" else "block"}
            r, o = against_uncached(llada, P, cache, rule=sched, steps=16)
            assert all(d < 1e-12 for k, d in o if k == "full") and sum(k == "full" for k, _ in o) == G // BL
            later = [d for k, d in o if k != "full"]; assert min(later) > 1e-3, "a cached pass equals the uncached one"
        x = prompt(11) + [MASK] * G
        a, b = [run_llada(llada, x, 11, BL, sched, c, refresh=1, steps=16) for c in ("none", cache)]
        assert differ(a, b) < 1e-9 and a.nfe == b.nfe == 16
        # 4: one block = whole generation: dual equals prefix
        if cache == "dual": assert differ(*[run_llada(llada, x, 11, G, sched, c, steps=16) for c in ("prefix", "dual")]) < 1e-9
    done += [1, 2, 3, 4]

    # 5: block-causal cached logits = uncached block-mask logits at every pass
    worst = 0.0
    for name, dec in (("qwen3", "bd"), ("fast-dllm-v2", "v2")):
        for bl in (1, 4, 8, 32):
            net = f64(name, ("grid", bl, 0))
            for P in sorted({0, 1, bl - 1, bl, bl + 1, 2 * bl, 2 * bl - 1}):
                if dec == "v2" and P == 0: continue
                def hook(kind, rows, l, x):
                    nonlocal worst
                    worst = max(worst, (l - net.full(x)[rows]).abs().max().item())
                if dec == "bd":
                    r = run_bd(net, prompt(P), 20, bl, 0, thr(.8, True), hook=hook)
                    assert len(r.x) == -(-(P + 20) // bl) * bl
                else: r = run_v2(net, prompt(P), 20, bl, max(1, bl // 2), .8, False, hook=hook)
                assert MASK not in r.x
    for P in (5, 8, 13):
        net = f64("qwen3", ("grid", 8, -P % 8))
        run_bd(net, prompt(P), 20, 8, -P % 8, thr(.8, True), hook=hook)
    assert worst < 1e-11, worst
    # 6: keeping the KV of the last masked pass changes the next block
    net = f64("qwen3", ("grid", 8, 0)); p = prompt(8); x = p + [3, 5, 7, 9, 11, 13, MASK, MASK]; kv = KV(net, 24)
    net.forward(x, range(16), kv); x[14:] = [15, 17]; stale = net.forward([MASK] * 8, range(16, 24), kv.clone())
    net.forward(x[8:], range(8, 16), kv); fresh = net.forward([MASK] * 8, range(16, 24), kv)
    assert (stale - fresh).abs().max() > 1e-2 and (fresh - net.full(x + [MASK] * 8)[16:]).abs().max() < 1e-11
    done += [5, 6]

    # 7: block 1 without shift = a per-position loop; with shift = AR greedy; row i-1 serves position i
    p = prompt(9); net = f64("qwen3", ("grid", 1, 0)); r = run_bd(net, p, 16, 1, 0, thr(.9, True)); x = list(p)
    for _ in range(16):
        row = net.full(x + [MASK])[-1].clone(); row[SUPPRESS] = -math.inf; x.append(int(row.argmax()))
    assert r.x == x and r.nfe == 1 + 2 * 16
    net = f64("fast-dllm-v2", ("grid", 1, 0)); a = run_v2(net, p, 16, 1, 1, .9, False); b = run_ar(net, p, 17)
    assert a.x == b.x and a.nfe == b.nfe == 17
    dn = f64("dream"); full = dn.full
    plain = run_dream(dn, p + [MASK] * 8, 9, 8, "maskgit_plus")
    def perturbed(x):
        l = full(x).clone(); m = [i for i in range(9, len(x)) if x[i] == MASK]
        for i in m:
            if i + 1 not in m: l[i] += torch.randn(V, dtype=l.dtype, generator=g) * 9        # a row that serves no masked position
        l[:8] += 50 * torch.randn(8, V, dtype=l.dtype, generator=g)
        return l
    dn.full = perturbed; assert differ(plain, run_dream(dn, p + [MASK] * 8, 9, 8, "maskgit_plus")) == 0
    done.append(7)
    # 8: future-mask independence
    x = prompt(11) + [MASK] * 5; n8 = f64("qwen3", ("grid", 8, 0)); nf = f64("qwen3")
    assert (n8.full(x)[:16] - n8.full(x + [MASK] * 16)[:16]).abs().max() < 1e-12 and (nf.full(x) - nf.full(x + [MASK] * 16)[:16]).abs().max() > 1e-2
    done.append(8)

    # 9: tau > 1 commits one per pass; tau <= 0 one denoise pass per block
    x = prompt(11) + [MASK] * G
    for cache in ("none", "prefix", "dual"):
        r = run_llada(llada, x, 11, BL, thr(1.1), cache); assert r.nfe == G and all(len(q["committed"]) == 1 for q in r.passes)
        assert run_llada(llada, x, 11, BL, thr(0.0), cache).nfe == G // BL
    for P in (8, 5, 13, 16):
        r = run_bd(f64("qwen3"), prompt(P), G, BL, 0, thr(1.1, True)); n = -(-(P + G) // BL) - P // BL; pre = 1 if P >= BL else 0
        assert r.nfe == len(r.x) - P + n + pre
        assert run_bd(f64("qwen3"), prompt(P), G, BL, 0, thr(0.0, True)).nfe == 2 * n + pre
        v = f64("fast-dllm-v2")
        for bc in (False, True):
            r = run_v2(v, prompt(P), G, BL, 4, 1.1, bc); assert r.nfe == pre + (BL - max(1, P % BL)) + 1 + 3 * BL
            r = run_v2(v, prompt(P), G, BL, 4, 0.0, bc); assert r.nfe == pre + (1 if P % BL >= 4 else 2) + 1 + 3 * 3
    n = []
    for t in (1.1, .95, .9, .8, .6, .4, .2, 0.0):                                             # fixed logits: NFE does not grow as tau drops
        left = {i: c for i, c in enumerate((.99, .97, .93, .9, .85, .7, .5, .3))}; k = 0
        while left:
            for i in take_threshold(Run([]), {i: dict(value=c, c=c) for i, c in left.items()}, t): del left[i]
            k += 1
        n.append(k)
    assert n == sorted(n, reverse=True) and n[0] == 8 and n[-1] == 1
    done.append(9)
    # 10, 11: golden tables
    assert llada_schedule(32, 10) == [4, 4] + [3] * 8 and llada_schedule(5, 8) == [1] * 5 + [0] * 3
    assert dllm_schedule(32, 10) == [3, 3, 3, 3, 3, 3, 4, 3, 4, 3] and dllm_schedule(8, 3) == [3, 2, 3]
    assert dream_schedule(32, 8) == [3, 4, 4, 4, 4, 4, 4, 5] and dream_schedule(32, 32) == [0] + [1] * 30 + [2] and dream_schedule(32, 32, clamp=True) == [1] * 32
    table = {(.99, .98, .97): 3, (.99, .98, .10): 2, (.99, .10, .05): 1, (.99, .60): 1}
    for cs, k in table.items(): assert len(take_factor(Run([]), {i: dict(value=c, c=c) for i, c in enumerate(cs)}, 1)) == k
    hs = {i: dict(value=-h, ent=h) for i, h in enumerate((0.0, 0.0, .2, .5, 1.0))}
    assert [len(take_eb(Run([]), hs, x)) for x in (0.0, .2, .7, 9.0)] == [3, 4, 5, 5]
    done += [10, 11]
    # 12: in Run.commit (at least one, scope, known positions fixed, no suppressed id); here the infilled and prompt positions and what lies outside
    for cache in ("none", "prefix", "dual"):
        p = prompt(11); gen = [MASK] * G; given = prompt(G)
        for lo, hi in INFILL: gen[lo:hi] = given[lo:hi]
        r = run_llada(llada, p + gen, 11, BL, sched, cache, steps=16)
        assert r.x[:11] == p and all(r.x[11 + i] == given[i] for lo, hi in INFILL for i in range(lo, hi)) and not r.masks(0, len(r.x)) and not set(r.x) & set(SUPPRESS)
    for P in (5, 13, 8):
        for s in (1, 3, 8):
            p = prompt(P); r = run_bd(f64("qwen3"), p, G, BL, 0, sched, s); assert r.x[:P] == p and not set(r.x) & set(SUPPRESS)
    done.append(12)
    # 17, 18: sub-block cache; P = Bl keeps the prompt
    v = f64("fast-dllm-v2"); v1 = f64("fast-dllm-v2"); v1.layers = 1; p = prompt(13)
    assert differ(run_v2(v, p, G, BL, BL, .8, False), run_v2(v, p, G, BL, BL, .8, True)) < 1e-10
    for b in (2, 4, 8): assert differ(run_v2(v1, p, G, BL, b, .8, False), run_v2(v1, p, G, BL, b, .8, True)) < 1e-10
    r = run_v2(v, p, G, BL, 4, .8, True); x = list(p)
    for i, q in enumerate(r.passes):
        if q["kind"] == "block" and len(q["rows"]) == 4: assert x[q["rows"][0]] != MASK
        if q["kind"] == "block" and q["rows"][0] % BL == 0 and q["committed"][0][0] % BL >= 4 and len(q["rows"]) == 4: raise AssertionError
        for c in q["committed"]:
            while len(x) <= c[0]: x.append(MASK)
            x[c[0]] = c[1]
    p8 = prompt(8); r = run_v2(v, p8, G, BL, 4, .8, False); row = v.full(p8)[-1].clone(); row[SUPPRESS] = -math.inf
    assert r.passes[0]["committed"][0][:2] == [8, int(row.argmax())] and r.x[:8] == p8
    done += [17, 18]
    # 19: CFG with identical branches changes nothing; two forwards counted
    x = prompt(11) + [MASK] * G; r = run_llada(llada, x, 11, BL, sched, cfg=1.0, steps=16); assert r.nfe == 32
    r0 = run_llada(llada, x[11:], 0, BL, sched, steps=16); r1 = run_llada(llada, x[11:], 0, BL, sched, cfg=2.0, steps=16); assert differ(r0, r1) < 1e-9
    # 31: causal = block grid 1; chunked prefill; decode logits = prefill logits
    c = f64("llama"); x = prompt(20); ref = c.full(x); kv = KV(c, 20)
    got = torch.cat([c.forward(x[a:b], range(a, b), kv) for a, b in ((0, 7), (7, 15), (15, 16), (16, 20))]); assert (got - ref).abs().max() < 1e-12
    r = run_ar(c, x[:7], 24, suppress=[]); l = c.full(r.x)
    assert all(int(l[i - 1].argmax()) == r.x[i] for i in range(7, 31))
    done += [19, 31]
    return done, worst


def main():
    out, seed = os.path.join(sys.argv[1], "trajectories"), int(sys.argv[2])
    t0 = time.time(); models = {}
    for i, name in enumerate(RULE):
        m, sd = build(name, seed * 10 + i); models[name] = (m, sd)
        d = check_forward(m, sd, [RULE[name]] + ([("grid", BL, 0)] if name == "qwen3" else []))
        write_model(os.path.join(out, name), name, m, sd)
        print(f"{name}: float64 vs transformers {d[0]:.1e}, float32 {d[1]:.1e}", flush=True)
    done, worst = properties(models, seed)
    print(f"properties {done} hold; block-causal cached vs uncached {worst:.1e}; {time.time() - t0:.0f} s", flush=True)
    nets = {n: (Net(m.config, sd, torch.float64, RULE[n]), Net(m.config, sd, torch.float32, RULE[n])) for n, (m, sd) in models.items()}
    for case in cases():
        line = []
        for j in (0, 1):
            res = search(case, *nets[case["model"]], seed, j); small = write_case(out, case, j, res); run = res[3]
            line.append(f"P={len(res[0])} nfe={run.nfe} max={max(len(q['committed']) for q in run.passes)} margin={small:.1e} f32={res[4]:.0e} tries={res[5]}")
        print(f"{case['model']}/{case['name']}: " + " | ".join(line), f"{time.time() - t0:.0f} s", flush=True)

if __name__ == "__main__": main()
