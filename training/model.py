"""The one architecture: LLaMA (RMSNorm, rotary embeddings by halves, grouped-query attention, SwiGLU, tied head).

Attention is written as products and a softmax: on a CPU, for sequences of a hundred tokens, that trains a third faster than
torch's fused kernel.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    vocabulary: int = 768
    hidden: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 2
    ffn: int = 512
    rope_base: float = 10_000.0
    longest: int = 256

    @property
    def head(self) -> int:
        return self.hidden // self.heads


# Queries [B, kv_heads, group, T, head], keys and values [B, kv_heads, S, head] to outputs of the queries' shape.
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def dense(mask: Tensor | None = None) -> Attention:
    """Every query over every key; `mask` [.., T, S] of 0 and -1e4 is added to the scores."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        B, KV, group, T, size = q.shape
        scores = (q.reshape(B, KV, group * T, size) @ k.mT).view(B, KV, group, T, -1)
        weights = (scores if mask is None else scores + mask).softmax(-1)
        return (weights.view(B, KV, group * T, -1) @ v).view(q.shape)

    return attend


def causal(length: int) -> Tensor:
    return torch.full((length, length), -1e4).triu_(1)


class RMSNorm(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-5)


class Layer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.attention_norm, self.ffn_norm = RMSNorm(c.hidden), RMSNorm(c.hidden)
        self.qkv = nn.Linear(c.hidden, (c.heads + 2 * c.kv_heads) * c.head, bias=False)
        self.out = nn.Linear(c.hidden, c.hidden, bias=False)
        self.gate_up = nn.Linear(c.hidden, 2 * c.ffn, bias=False)
        self.down = nn.Linear(c.ffn, c.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attention, cache: "Cache | None", layer: int) -> Tensor:
        c, (B, T, _) = self.c, x.shape
        qkv = self.qkv(self.attention_norm(x)).view(B, T, c.heads + 2 * c.kv_heads, c.head)
        qk, v = qkv.split([c.heads + c.kv_heads, c.kv_heads], 2)
        a, b = qk.chunk(2, -1)
        qk = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
        q, k, v = qk[:, :, : c.heads].transpose(1, 2), qk[:, :, c.heads :].transpose(1, 2), v.transpose(1, 2)
        if cache is not None:
            k, v = cache.store(layer, k, v)
        group = c.heads // c.kv_heads
        q = q.reshape(B, c.kv_heads, group, T, c.head) * c.head**-0.5
        y = attend(q, k, v)
        x = x + self.out(y.flatten(1, 2).transpose(1, 2).reshape(B, T, c.hidden))
        gate, up = self.gate_up(self.ffn_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Cache:
    """Keys and values of `slots` places; `store` writes those of the running tokens at `places` and returns all."""

    def __init__(self, c: Config, batch: int, slots: int):
        shape = (c.layers, batch, c.kv_heads, slots, c.head)
        self.k, self.v = torch.zeros(shape), torch.zeros(shape)
        self.places = torch.arange(0)

    def store(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        self.k[layer][:, :, self.places], self.v[layer][:, :, self.places] = k, v
        return self.k[layer], self.v[layer]


class LM(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embedding = nn.Embedding(c.vocabulary, c.hidden)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RMSNorm(c.hidden)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = 0.5 / math.sqrt(c.layers) if ".out." in name or ".down." in name else 1.0
                nn.init.normal_(p, 0, 0.02 if "embedding" in name else deep / math.sqrt(p.shape[1]))
        angles = torch.outer(torch.arange(c.longest).float(), c.rope_base ** -(torch.arange(0, c.head, 2).float() / c.head))
        self.register_buffer("cos", angles.cos()[:, None], persistent=False)
        self.register_buffer("sin", angles.sin()[:, None], persistent=False)

    def hidden(self, ids: Tensor, positions: Tensor | None = None, attend: Attention | None = None, cache: Cache | None = None) -> Tensor:
        """Final hidden states [B, T, hidden] of `ids` [B, T]. Without `attend` every token sees every other.
        Positions [T] or [B, T], default 0..T-1. With a cache, `ids` run at its places."""
        p = torch.arange(ids.shape[1]) if positions is None else positions
        cos, sin = self.cos[p], self.sin[p]
        x = self.embedding(ids)
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, attend or dense(), cache, i)
        return self.norm(x)

    def head(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)

