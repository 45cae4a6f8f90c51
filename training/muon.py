"""Muon (Jordan 2024; scaled as in Liu et al. 2025, "Muon is scalable") in f32, matrices of one shape as one batch.

torch.optim.Muon runs its iteration in bfloat16, which CPUs without bf16 instructions emulate at a fifth of the speed.
"""

import torch
from torch import Tensor

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonal(g: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices to a batch [N, rows, columns], roughly: singular values to about one."""
    wide = g.shape[1] <= g.shape[2]
    x = g if wide else g.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ROUNDS):
        s = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                by_shape.setdefault(p.shape, []).append(p)
            for shape, members in by_shape.items():
                for p in members:
                    if not self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                    self.state[p]["momentum"].lerp_(p.grad, 1 - group["momentum"])
                nesterov = [p.grad.lerp(self.state[p]["momentum"], group["momentum"]) for p in members]
                rate = 0.2 * max(shape) ** 0.5 * group["lr"]
                for p, update in zip(members, orthogonal(torch.stack(nesterov))):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-rate)
