"""Small networks and their data, for tests."""

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10


def mlp(seed: int = 0, bias: bool = True) -> nn.Sequential:
    """362 weights in three layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(8, 16, bias=bias), nn.ReLU(), nn.Linear(16, 9, bias=bias), nn.Tanh()]
        return nn.Sequential(*layers, nn.Linear(9, CLASSES, bias=bias))


def convnet(seed: int = 0) -> nn.Sequential:
    """An ordinary, a depthwise and a grouped convolution, batch norm and a classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, 8, 3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=8),  # depthwise: stays dense
            nn.Conv2d(8, 12, 3, groups=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12 * 2 * 2, CLASSES),
        )


class TiedWords(nn.Module):
    """Predicts a word from a word; what reads the words is also what writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Embedding(CLASSES, 6)
        nn.init.uniform_(self.read.weight, -0.4, 0.4)  # as large as those of the linear layer
        self.mix = nn.Linear(6, 6)
        self.write = nn.Linear(6, CLASSES, bias=False)
        self.write.weight = self.read.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.write(torch.tanh(self.mix(self.read(words))))


def tied(seed: int = 0) -> TiedWords:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TiedWords()


def batch(network: nn.Module, step: int, size: int = 8) -> tuple[Tensor, Tensor]:
    """Data of a step: a function of the step alone, so that a resumed run meets the same."""
    stream = torch.Generator().manual_seed(1000 + step)
    labels = torch.randint(CLASSES, (size,), generator=stream)
    if isinstance(network, TiedWords):
        return torch.randint(CLASSES, (size,), generator=stream), labels
    first = next(network.parameters())
    shape = (size, 2, 8, 8) if first.dim() == 4 else (size, 8)
    return torch.randn(shape, generator=stream, dtype=first.dtype), labels


def backward(network: nn.Module, step: int, scale: float = 1.0) -> None:
    """Gradients of the step's batch, added to what is there."""
    images, labels = batch(network, step)
    (functional.cross_entropy(network(images), labels) * scale).backward()
