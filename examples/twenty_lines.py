"""A network, a loop and a method of one's own, with a scaler's unscaling, clipping and an average, in twenty lines."""

from dataclasses import dataclass

import torch
from torch import nn

from gossamer import RigL, SparseEMA, Sparsifier, rewire


@dataclass(frozen=True, kw_only=True)
class HalfRigL(RigL):
    def grow(self, grad, mask, count, generator):
        mask = rewire.grow_largest(grad.abs(), mask, count // 2, generator)
        return rewire.grow_random(mask, count - count // 2, generator)


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
sparsifier = Sparsifier(HalfRigL(sparsity=0.9, total_steps=300, every=10), model, optimizer)
scaler, ema = torch.amp.GradScaler("cpu"), SparseEMA(model, sparsifier, decay=0.98)
for _ in range(300):
    x = torch.randn(128, 20)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), (x[:, 0] * x[:, 1] > 0).long())
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    sparsifier.step()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    ema.update()
x = torch.randn(1000, 20)
right = (ema.averaged()(x).argmax(1) == (x[:, 0] * x[:, 1] > 0)).float().mean()
print(f"{right:.1%} right\n{sparsifier.report()}")
