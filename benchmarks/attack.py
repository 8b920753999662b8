"""What a PGD step costs: against the least that PGD can do, and against a loop that fills the weights' gradients."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.timing import Row, interleaved, run
from gossamer.attack import PGD
from gossamer.attack.ball import random_start
from gossamer.bench.models import build

Gradient = Callable[[nn.Module, Tensor, Tensor], Tensor]

ATTACK = PGD()  # PGD-10 of linf, as in P1's training
OVERHEAD = 0.02
SPEED_UP = 1.5


@dataclass(frozen=True)
class Size:
    """The network and its batch."""

    model: str
    batch: int
    image_size: int = 32
    channels: int = 3
    classes: int = 10
    against_backward: bool = True  # only where convolutions are most of the work: the convnet gains 1.3 times


SIZES = (Size(model="resnet18", batch=8), Size(model="convnet", batch=64, against_backward=False))


def input_only(model: nn.Module, leaf: Tensor, labels: Tensor) -> Tensor:
    """The gradient that PGD needs."""
    (gradient,) = torch.autograd.grad(cross_entropy(model(leaf), labels, reduction="sum"), leaf)
    return gradient


def by_backward(model: nn.Module, leaf: Tensor, labels: Tensor) -> Tensor:
    """The same, and besides the gradients of all weights."""
    model.zero_grad()
    cross_entropy(model(leaf), labels, reduction="sum").backward()
    return leaf.grad


def loop(gradient: Gradient, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """PGD-10 from a random start in its fewest lines, without a check and without leaving anything as found."""
    start = random_start(images, ATTACK.eps, ATTACK.norm, torch.Generator().manual_seed(0))
    low, high = (images - ATTACK.eps).clamp(0, 1), (images + ATTACK.eps).clamp(0, 1)
    for size in ATTACK.step_sizes():
        leaf = start.detach().requires_grad_()
        start = (leaf.detach() + size * gradient(model, leaf, labels).sign()).clamp(low, high)
    return start


def tasks(size: Size, device: str) -> dict[str, Callable[[], Tensor]]:
    """The three, on the same network, images and start; refused if they do not find the same."""
    torch.manual_seed(0)
    sizes = {"num_classes": size.classes, "image_size": size.image_size, "channels": size.channels}
    model: nn.Module = build(size.model, **sizes).to(device).eval()
    images = torch.rand(size.batch, size.channels, size.image_size, size.image_size, device=device)
    labels = torch.randint(size.classes, (size.batch,), device=device)
    found = {
        "ours": lambda: ATTACK(model, images, labels),  # no generator: its start is that of seed 0
        "bare": lambda: loop(input_only, model, images, labels),
        "usual": lambda: loop(by_backward, model, images, labels),
    }
    check(found, size.model)
    return found


def check(found: dict[str, Callable[[], Tensor]], name: str) -> None:
    """Loops that do different things are not compared; rounding may turn the sign of a gradient next to zero."""
    ours = found["ours"]()
    for other in ("bare", "usual"):
        same = float(((found[other]() - ours).abs() < 1e-6).float().mean())
        if same < 0.99:
            raise AssertionError(f"{name}: only {same:.1%} of the pixels are those of the {other} loop")
    print(f"{name}: all three loops find the same images")


def measure(repetitions: int = 9, device: str = "cpu", sizes: tuple[Size, ...] = SIZES) -> list[Row]:
    """A row a network against the least, and where the size says so one against ``backward()``."""
    rows = []
    for size in sizes:
        seconds = interleaved(tasks(size, device), repetitions, device)
        step = {name: whole / ATTACK.steps for name, whole in seconds.items()}
        what = f"PGD-10 step, {size.model}, batch {size.batch}, against "
        rows.append(
            Row(what=what + "the least", ours=step["ours"], peer=step["bare"], kind="overhead", target=OVERHEAD)
        )
        if size.against_backward:
            rows.append(
                Row(what=what + "backward()", ours=step["ours"], peer=step["usual"], kind="speed-up", target=SPEED_UP)
            )
    return rows


if __name__ == "__main__":
    run(measure, __doc__, devices=True)
