"""A network and a loop of one's own; sparse training is the two lines with ``sparsifier``."""

import torch
from torch import nn

from gossamer import RigL, Sparsifier

STEPS = 300
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
sparsifier = Sparsifier(RigL(sparsity=0.9, total_steps=STEPS, every=10), model, optimizer, seed=0)
for _ in range(STEPS):
    points = torch.randn(128, 20)
    labels = (points[:, 0] * points[:, 1] > 0).long()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(points), labels)
    loss.backward()
    sparsifier.step()
    optimizer.step()

points = torch.randn(10_000, 20)
accuracy = (model(points).argmax(1) == (points[:, 0] * points[:, 1] > 0)).float().mean()
print(f"accuracy {accuracy:.1%}, {sum(int(layer.weight.count_nonzero()) for layer in model[::2])} weights are not zero")
print(sparsifier.report())
