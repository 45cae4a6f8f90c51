"""What each model is trained to do. All three see the same samples and predict the token at i from the hidden state at i-1
(the shift of Dream and of Fast-dLLM v2), so that each can start from the weights of another.

Each objective maps a Batch to a scalar loss. Only answers are trained, never prompts.

- `ar`: cross-entropy of the next token.
- `mdlm`: masked diffusion (LLaDA, Nie et al. 2025, eq. 3): mask with probability t, cross-entropy of the masked tokens times 1/t.
  It departs from LLaDA's in the mask. (1) For a share of the rows the pattern is one that block-wise decoding meets: clean
  before a block, masked at rate t inside, all masked after. (2) For half of the rows digits stay masked longer than words,
  the order in which decoding by confidence reveals them. (3) 1/t is clipped at 4; masked fill after the end counts a tenth.
- `block`: block diffusion (BD3-LM, Arriola et al. 2025; Fast-dLLM v2): blocks at absolute multiples of 16, full attention inside a
  block, clean blocks before it; one t for each block; two noisy copies with complementary masks share one clean copy
  (Fast-dLLM v2, section 3.2). The first token of a block is predicted from the clean copy's last hidden state.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from model import LM, Attention, causal, dense
from tokenizer import MASK

BLOCK = 16
BLOCKED_ROWS = 0.6  # share of mdlm's rows masked as block-wise decoding meets them
LARGEST_WEIGHT = {"mdlm": 4.0, "block": 5.0}  # of 1/t
AFTER_WEIGHT = 0.1  # of the blocks after the running one
FILL_WEIGHT = {"mdlm": 0.1, "block": 0.3}  # of the fill after the end
DIGIT_WEIGHT = 2.0  # mdlm: of a digit


@dataclass
class Batch:
    ids: Tensor  # [B, T] prompt, answer, fill
    prompt: Tensor  # [B] tokens of the prompt
    end: Tensor  # [B] tokens of prompt and answer
    digit: Tensor  # [vocabulary] true at the ten digits


def ar(m: LM, b: Batch, _: Generator) -> Tensor:
    T = b.ids.shape[1]
    at = torch.arange(1, T)
    chosen = (at >= b.prompt[:, None]) & (at < b.end[:, None])
    h = m.hidden(b.ids[:, :-1], attend=dense(causal(T - 1)))
    return F.cross_entropy(m.head(h[chosen]), b.ids[:, 1:][chosen])


def stratified(rows: int, g: Generator) -> Tensor:
    """One uniform number in (0, 1) a row, spread evenly over the batch (lower variance: Kingma et al. 2021, I.1)."""
    return (torch.randperm(rows, generator=g) + torch.rand(rows, generator=g)) / rows


def digits_last(t: Tensor, digit: Tensor, g: Generator) -> Tensor:
    """Mask rates [R, T] from t [R, T]: for half of the rows digits at t^k and other tokens at t^(1/k), k in 0.2..1."""
    R = t.shape[0]
    chosen = torch.rand(R, 1, generator=g) < 0.5
    k = 0.2 + 0.8 * torch.rand(R, 1, generator=g)
    return torch.where(chosen, torch.where(digit, t**k, t ** (1 / k)), t)


def mdlm(m: LM, b: Batch, g: Generator) -> Tensor:
    B, T = b.ids.shape
    at = torch.arange(T)
    prompt, end = b.prompt[:, None], b.end[:, None]
    t = stratified(B, g).clamp(0.02, 1)[:, None]
    digit = b.digit[b.ids]
    masked = (torch.rand(B, T, generator=g) < digits_last(t.expand(B, T), digit, g)) & (at >= prompt)
    weight = (1 / t).clamp(max=LARGEST_WEIGHT["mdlm"]).expand(B, T)

    blocks = (end - prompt + BLOCK - 1) // BLOCK
    start = prompt + (torch.rand(B, 1, generator=g) * blocks).long() * BLOCK
    inside, after = (at >= start) & (at < start + BLOCK), at >= start + BLOCK
    blocked = torch.arange(B)[:, None] < int(B * BLOCKED_ROWS)
    masked = torch.where(blocked, (masked & inside) | after, masked)
    weight = torch.where(blocked & after, AFTER_WEIGHT, weight)
    weight = torch.where(digit, DIGIT_WEIGHT * weight, weight)
    weight = torch.where(at >= end, FILL_WEIGHT["mdlm"] * weight, weight)

    h = m.hidden(torch.where(masked, MASK, b.ids)).roll(1, 1)
    loss = F.cross_entropy(m.head(h[masked]), b.ids[masked], reduction="none")
    return (loss * weight[masked]).sum() / (end - prompt).sum()


def block(m: LM, b: Batch, g: Generator) -> Tensor:
    B, T = b.ids.shape
    at = torch.arange(T)
    prompt, end = b.prompt[:, None], b.end[:, None]
    first = int(b.prompt.min()) // BLOCK * BLOCK  # no noisy copy of blocks that are all prompt
    noisy = at[first:]
    N = len(noisy)
    t = torch.stack([stratified(B, g) for _ in range(T // BLOCK)], 1).clamp(0.05, 0.95).repeat_interleave(BLOCK, 1)[:, first:]
    ids = b.ids[:, first:]
    trained = (noisy >= prompt) & (noisy < (end + BLOCK - 1) // BLOCK * BLOCK)
    hit = torch.rand(B, N, generator=g) < digits_last(t, b.digit[ids], g)
    masks = torch.stack([hit & trained, ~hit & trained], 1)  # [B, 2, N]
    rates = torch.stack([t, 1 - t], 1)

    x = torch.cat([b.ids, torch.where(masks, MASK, ids[:, None]).flatten(1)], 1)
    h = m.hidden(x, torch.cat([at, noisy, noisy]), two_copies(T, first))
    clean, copies = h[:, :T], h[:, T:].view(B, 2, N, -1)
    # The shift: inside a block from the copy's own neighbour, over its edge from the clean copy.
    edge = (noisy % BLOCK == 0)[:, None]
    h = torch.where(edge, clean.roll(1, 1)[:, None, first:], copies.roll(1, 2))
    target = ids[:, None].expand(B, 2, N)
    loss = F.cross_entropy(m.head(h[masks]), target[masks], reduction="none")
    weight = (1 / rates).clamp(max=LARGEST_WEIGHT["block"])
    weight = torch.where((noisy >= end)[:, None], FILL_WEIGHT["block"] * weight, weight)
    return (loss * weight[masks]).sum() / (2 * (end - prompt).sum())


def two_copies(T: int, first: int) -> Attention:
    """Attention of [clean 0..T | noisy first..T | noisy first..T]: a clean token sees its own block and those before it, a
    noisy one the clean blocks before its own and its own block in its own copy. Scores that the mask would drop between
    noisy blocks are never made: half of the work."""
    block_of = torch.arange(T) // BLOCK
    noisy_of = block_of[first:].repeat(2)
    clean_mask = torch.where(block_of[:, None] >= block_of, 0.0, -1e4)
    noisy_mask = torch.where(noisy_of[:, None] > block_of, 0.0, -1e4)
    blocks = len(noisy_of) // BLOCK

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        B, KV, group, _, size = q.shape
        (q0, q1), (k0, k1), (v0, v1) = (x.split([T, len(noisy_of)], -2) for x in (q, k, v))
        clean = dense(clean_mask)(q0, k0, v0)
        q1, k1, v1 = q1.contiguous(), k1.unflatten(2, (blocks, BLOCK)), v1.unflatten(2, (blocks, BLOCK))
        before = (q1.view(B, KV, -1, size) @ k0.mT).view(B, KV, group, -1, T) + noisy_mask
        by_block = q1.view(B, KV, group, blocks, BLOCK, size)
        own = (by_block @ k1.mT[:, :, None]).view(B, KV, group, -1, BLOCK)
        weights = torch.cat([before, own], -1).softmax(-1)
        w0, w1 = weights.split([T, BLOCK], -1)
        y = (w0.reshape(B, KV, -1, T) @ v0).view(q1.shape) + (w1.unflatten(3, (blocks, BLOCK)) @ v1[:, :, None]).view(q1.shape)
        return torch.cat([clean, y], -2)

    return attend


OBJECTIVES = {"ar": ar, "mdlm": mdlm, "block": block}
