"""Networks to attack: small random ones, and one that has learned the digits."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def network(seed: int = 0, *, classes: int = 10, channels: int = 1, size: int = 8, dropout: float = 0.0) -> nn.Module:
    """A convolution, batch norm with statistics that are not the initial ones, and a classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(8 * size * size, classes),
        )
        model(torch.rand(32, channels, size, size))
        return model


def data(seed: int = 0, *, n: int = 6, classes: int = 10, channels: int = 1, size: int = 8) -> tuple[Tensor, Tensor]:
    """Uniform images, some pixels at 0 and at 1, and any labels."""
    stream = torch.Generator().manual_seed(seed)
    images = (1.4 * torch.rand(n, channels, size, size, generator=stream) - 0.2).clamp(0, 1)
    return images, torch.randint(classes, (n,), generator=stream)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, test images and labels: 1297 and 500 of 8 x 8 pixels in [0, 1]."""
    found = load_digits()
    images = torch.tensor(found.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(found.target)
    return images[:-500], labels[:-500], images[-500:], labels[-500:]


@cache
def trained(seed: int = 0) -> nn.Module:
    """A network that has learned the digits: over 90 % right. In evaluation mode; shared, so leave it as found."""
    model = network(seed)
    images, labels, _, _ = digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model.eval()
