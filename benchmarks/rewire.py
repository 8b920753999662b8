"""One topology update of a whole network, against the usual one by full sorts; first both are compared for equality.

Timed is what chooses the new masks from weights, gradients and old masks, random numbers included.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import usual
from benchmarks.timing import Row, interleaved, run
from gossamer import SET, DropAndGrow, Masks, RigL, masks, select
from gossamer.bench.models import build

TARGET = 4.0
STEP = 100
STEPS = 78_200  # P1's 200 epochs of CIFAR-100 at batch 128


@dataclass(frozen=True)
class Layers:
    """Weights, gradients and masks of a network in the middle of a training."""

    weights: dict[str, torch.nn.Parameter]
    grads: dict[str, Tensor]
    masks: Masks


@dataclass(frozen=True)
class Pair:
    """A method of ours, and the two halves of the usual implementation of it."""

    name: str
    method: DropAndGrow
    survive: usual.Survive
    grow: usual.Grow

    def ours(self, layers: Layers, generator: torch.Generator) -> Masks:
        return self.method.rewire(STEP, layers.masks, layers.weights, layers.grads, generator)

    def peer(self, layers: Layers, generator: torch.Generator) -> Masks:
        fraction = self.method.drop_fraction(STEP)
        return usual.update(layers.weights, layers.grads, layers.masks, fraction, generator, self.survive, self.grow)


def pairs(sparsity: float) -> list[Pair]:
    """RigL, and SET by both of its rules."""
    rigl = RigL(sparsity=sparsity, total_steps=STEPS)
    signed = SET(sparsity=sparsity, total_steps=STEPS)
    magnitude = SET(sparsity=sparsity, total_steps=STEPS, drop_by="magnitude")
    return [
        Pair("RigL", rigl, usual.largest_magnitudes, usual.largest_gradients),
        Pair("SET", signed, usual.outermost, usual.random_positions),
        Pair("SET by magnitude", magnitude, usual.largest_magnitudes, usual.random_positions),
    ]


def layers(model: str, sparsity: float, device: str = "cpu", *, tied: bool = False) -> Layers:
    """ERK masks; magnitudes of a layer's weights and gradients are all different or, if ``tied``, all the same."""
    torch.manual_seed(0)
    weights = select(build(model, num_classes=100, image_size=32, channels=3).to(device))
    generator = torch.Generator().manual_seed(0)
    alive = RigL(sparsity=sparsity, total_steps=STEPS).masks(weights, generator)
    grads = {name: _signed(weight, generator, tied) for name, weight in weights.items()}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(_signed(weight, generator, tied)).masked_fill_(~alive[name], 0)
    return Layers(weights, grads, alive)


@torch.no_grad()
def check(pair: Pair, distinct: Layers, tied: Layers) -> str:
    """Refuse to measure unless both choose the same where no scores tie, and ours is exact where all do."""
    fraction = pair.method.drop_fraction(STEP)
    for name, mask in distinct.masks.items():
        weight, stream = distinct.weights[name], torch.Generator().manual_seed(1)
        if not mask.all():
            kept = pair.method.drop(weight, mask, fraction, stream)
            _require(torch.equal(kept, pair.survive(weight, mask, fraction)), f"{pair.name} drops others in {name}")
    ours, peer = (update(distinct, torch.Generator().manual_seed(1)) for update in (pair.ours, pair.peer))
    _require(_counts(ours) == _counts(peer) == _counts(distinct.masks), f"{pair.name} changes the number of weights")
    if pair.method.dense_gradient:  # nothing is random
        _require(all(torch.equal(ours[name], peer[name]) for name in ours), f"{pair.name} grows others")
    survivors = {True: 0, False: 0}
    for name, mask in tied.masks.items():
        weight, stream = tied.weights[name], torch.Generator().manual_seed(2)
        if not mask.all():
            survivors[True] += int(pair.method.drop(weight, mask, fraction, stream).sum())
            survivors[False] += int(pair.survive(weight, mask, fraction).sum())
    exact = pair.ours(tied, torch.Generator().manual_seed(2))
    _require(_counts(exact) == _counts(tied.masks), f"{pair.name} is not exact under ties")
    return (
        f"{pair.name}: the same choice as by full sorts; where all magnitudes tie and {fraction:.0%} are to die, "
        f"{survivors[True]:,} weights survive, by full sorts {survivors[False]:,}"
    )


@torch.no_grad()
def measure(repetitions: int = 7, device: str = "cpu", model: str = "resnet18", sparsity: float = 0.9) -> list[Row]:
    """One row a method."""
    distinct, tied = layers(model, sparsity, device), layers(model, sparsity, device, tied=True)
    generator = torch.Generator().manual_seed(3)
    rows = []
    for pair in pairs(sparsity):
        print(check(pair, distinct, tied))
        updates = {"ours": pair.ours, "peer": pair.peer}
        tasks = {name: lambda update=update: update(distinct, generator) for name, update in updates.items()}
        seconds = interleaved(tasks, repetitions, device)
        what = f"{pair.name} update of {model}, {masks.size(distinct.masks):,} weights, against full sorts"
        rows.append(Row(what=what, ours=seconds["ours"], peer=seconds["peer"], kind="speed-up", target=TARGET))
    return rows


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(f"{otherwise}: a ratio would compare two different things")


def _counts(chosen: Masks) -> dict[str, int]:
    return {name: int(mask.sum()) for name, mask in chosen.items()}


def _signed(weight: Tensor, generator: torch.Generator, tied: bool) -> Tensor:
    """Random signs on magnitudes 1..n in random order, which float32 tells apart up to 2^24; on ones if tied."""
    size = weight.numel()
    ranks = torch.ones(size) if tied else torch.randperm(size, generator=generator).float() + 1
    signs = torch.randint(2, (size,), generator=generator) * 2 - 1
    return (ranks * signs).reshape(weight.shape).to(weight.device)


if __name__ == "__main__":
    run(measure, __doc__, devices=True)
