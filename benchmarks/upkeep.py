"""What keeping the masks costs: the sparsifier's step without a rewiring, as a share of a ResNet18 training step."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.timing import Row, interleaved, run
from gossamer import RigL, Sparsifier
from gossamer.bench.models import build

TARGET = 0.005


@dataclass(frozen=True)
class Size:
    """The network and its batch: P1's CIFAR-100 setting by default."""

    model: str = "resnet18"
    image_size: int = 32
    channels: int = 3
    classes: int = 100
    batch: int = 128


class Loop:
    """A training step in two parts: all but the sparsifier, and the sparsifier's step."""

    def __init__(self, size: Size, device: str) -> None:
        torch.manual_seed(0)
        sizes = {"num_classes": size.classes, "image_size": size.image_size, "channels": size.channels}
        self.model: nn.Module = build(size.model, **sizes).to(device)
        self.images = torch.rand(size.batch, size.channels, size.image_size, size.image_size, device=device)
        self.labels = torch.randint(size.classes, (size.batch,), device=device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        never = RigL(sparsity=0.9, total_steps=10**9, every=10**9)
        self.sparsifier = Sparsifier(never, self.model, self.optimizer)
        self.train()
        for _ in range(33):  # at steps 1, 2, 4, ... it looks for leaks besides: none of those is among the next 31
            self.keep()

    def train(self) -> None:
        """The step before, of the gradients that ``keep`` has masked, and the gradients of the next."""
        self.optimizer.step()
        self.optimizer.zero_grad()
        cross_entropy(self.model(self.images), self.labels).backward()

    def keep(self) -> None:
        self.sparsifier.step()


def measure(repetitions: int = 10, device: str = "cpu", size: Size = Size()) -> list[Row]:
    """One row: the sparsifier's share."""
    if repetitions > 30:
        raise ValueError(f"expected at most 30 repetitions, got {repetitions}: a later step looks for leaks")
    loop = Loop(size, device)
    seconds = interleaved({"train": loop.train, "keep": loop.keep}, repetitions, device, warm_up=0)
    what = f"upkeep of the masks against a {size.model} step, batch {size.batch}"
    return [Row(what=what, ours=seconds["keep"], peer=seconds["train"], kind="share", target=TARGET)]


if __name__ == "__main__":
    run(measure, __doc__, devices=True)
