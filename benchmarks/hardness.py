"""What scores cost: logits collected against bare inference, and EL2N of several models against theirs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.timing import Row, interleaved, run
from gossamer.bench.models import build
from gossamer.hardness import collect, el2n

TARGET = 0.05


@dataclass(frozen=True)
class Size:
    """The networks and their data: a small network on CIFAR-sized images by default."""

    model: str = "convnet"
    image_size: int = 32
    channels: int = 3
    classes: int = 10
    samples: int = 2000
    batch: int = 500
    models: int = 3


class Task:
    """Shuffled batches, and two ways through them."""

    def __init__(self, size: Size, device: str) -> None:
        torch.manual_seed(0)
        sizes = {"num_classes": size.classes, "image_size": size.image_size, "channels": size.channels}
        self.models: list[nn.Module] = [build(size.model, **sizes).to(device) for _ in range(size.models)]
        images = torch.rand(size.samples, size.channels, size.image_size, size.image_size, device=device)
        self.labels = torch.randint(size.classes, (size.samples,))
        parts = torch.split(torch.randperm(size.samples), size.batch)
        self.batches = [(part, images[part.to(device)], self.labels[part]) for part in parts]

    def bare(self, model: nn.Module) -> Tensor:
        """Inference and nothing else."""
        model.eval()
        with torch.no_grad():
            return torch.cat([model(images) for _, images, _ in self.batches]).cpu()

    def collected(self, model: nn.Module) -> Tensor:
        return collect(model, self.batches, len(self.labels))[0]

    def el2n(self) -> Tensor:
        return el2n(torch.stack([self.collected(model) for model in self.models]), self.labels)


def check(task: Task) -> None:
    """Both ways give the same logits."""
    order = torch.cat([index for index, _, _ in task.batches])
    for model in task.models:
        if not torch.equal(task.collected(model)[order], task.bare(model)):
            raise AssertionError("collected and bare inference give different logits")


def measure(repetitions: int = 10, device: str = "cpu", size: Size = Size()) -> list[Row]:
    """One row for a pass, one for a score."""
    task = Task(size, device)
    check(task)
    print("the same logits by collect and by bare inference")
    tasks = {
        "collect": lambda: task.collected(task.models[0]),
        "pass": lambda: task.bare(task.models[0]),
        "el2n": task.el2n,
        "passes": lambda: [task.bare(model) for model in task.models],
    }
    seconds = interleaved(tasks, repetitions, device)
    pairs = {
        f"logits of {size.samples} samples by collect, {size.model}": ("collect", "pass"),
        f"EL2N over {size.models} models, {size.model}": ("el2n", "passes"),
    }
    return [
        Row(
            what=f"{what}, against bare inference",
            ours=seconds[ours],
            peer=seconds[peer],
            kind="overhead",
            target=TARGET,
        )
        for what, (ours, peer) in pairs.items()
    ]


if __name__ == "__main__":
    run(measure, __doc__, devices=True)
