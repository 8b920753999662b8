"""A network of one's own on the command line: ``PYTHONPATH=. gossamer train --model examples.own_model:net``.

The factory gets the sizes of the data set; with ``width`` it can also be the narrow opponent, ``small_dense``.
"""

import torch
from torch import nn

from gossamer import select
from gossamer.bench.models import build


def net(*, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> nn.Module:
    """Two convolutions with group norm and a linear layer, for images of any size."""
    first, second = (max(1, round(width * size)) for size in (16, 32))
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1, bias=False),
        nn.GroupNorm(1, first),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
        nn.GroupNorm(1, second),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * second, num_classes),
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    model = build("examples.own_model:net", num_classes=10, image_size=8, channels=1)
    weights = {name: weight.numel() for name, weight in select(model).items()}
    print(f"{sum(weights.values())} weights may be zero, of {sum(p.numel() for p in model.parameters())}: {weights}")
