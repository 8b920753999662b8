"""What gossamer's loop costs over a bare torch loop that does the same: batches, network, optimizer, evaluation.

Ours is what ``gossamer train`` runs, from the description to the result on disk: metrics, checkpoints, progress bars,
bookkeeping.  Both end with the same bits, which is checked before anything is measured.
"""

from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.timing import Row, interleaved, run
from gossamer import RigL, Sparsifier
from gossamer.bench.data import Dataset, batches
from gossamer.bench.models import build
from gossamer.bench.place import Bench
from gossamer.bench.run import run as run_spec
from gossamer.bench.settings import TrainSettings, preset
from gossamer.bench.show import Bars
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder

TARGET = 0.03


@dataclass(frozen=True)
class Size:
    """Synthetic images of MNIST's size and number, few epochs, and a checkpoint six times as often as by default."""

    train: int = 60_000
    test: int = 10_000
    epochs: int = 2
    checkpoint_seconds: float = 5.0
    every: int = 20  # RigL rewires as often in these few steps as in a long training


def synthetic(size: Size) -> Dataset:
    """Random grey images of 28 x 28 pixels in ten classes."""
    torch.manual_seed(0)
    images = torch.randint(256, (size.train + size.test, 1, 28, 28), dtype=torch.uint8)
    labels = torch.randint(10, (len(images),))
    return Dataset(
        name="synthetic",
        label="synthetic",
        train_images=images[: size.train],
        train_labels=labels[: size.train],
        test_images=images[size.train :],
        test_labels=labels[size.train :],
        classes=tuple("0123456789"),
        mean=(0.5,),
        std=(0.29,),
    )


def settings_of(model: str, size: Size) -> TrainSettings:
    """The model's preset, shorter, with a constant learning rate so that the bare loop needs no scheduler."""
    return replace(preset(model), epochs=size.epochs, schedule="constant", decay="all", lr=0.01)


def ours(data: Dataset, model: str, settings: TrainSettings, size: Size, recipe: str = "dense") -> dict[str, Tensor]:
    """``gossamer train``, and the weights that it leaves on disk."""
    spec = RunSpec(data="synthetic", fingerprint=data.fingerprint, model=model, recipe="dense", train=settings)
    if recipe == "rigl":
        spec = replace(spec, recipe=recipe, sparsity=0.9, settings={"every": str(size.every)})
    screen = Console(file=StringIO(), force_terminal=True)
    with TemporaryDirectory() as folder, Bars(screen) as bars:
        bench = Bench(data, Path(folder), watch=bars, checkpoint_seconds=size.checkpoint_seconds)
        run_spec(spec, bench)
        return RunFolder(Path(folder) / spec.key).load_tensors("model.safetensors")


def bare(data: Dataset, model: str, settings: TrainSettings, size: Size, recipe: str = "dense") -> dict[str, Tensor]:
    """The same training by hand, for RigL with the sparsifier's two lines; nothing is written down."""
    torch.manual_seed(0)
    network = build(model, num_classes=10, image_size=28, channels=1, normalize=(data.mean, data.std))
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )
    steps = settings.epochs * -(-size.train // settings.batch_size)
    method = RigL(sparsity=0.9, total_steps=steps, every=size.every)
    sparsifier = None if recipe == "dense" else Sparsifier(method, network, optimizer, seed=0)
    for epoch in range(settings.epochs):
        network.train()
        for indices in batches(len(data.train_labels), settings.batch_size, seed=0, epoch=epoch):
            images = data.train_images[indices].float().div_(255)
            optimizer.zero_grad()
            cross_entropy(network(images), data.train_labels[indices]).backward()
            if sparsifier is not None:
                sparsifier.step()
            optimizer.step()
        accuracy(network, data)
    return network.state_dict()


@torch.inference_mode()
def accuracy(network: nn.Module, data: Dataset) -> tuple[float, float]:
    """Test accuracy and loss."""
    network.eval()
    outputs = torch.cat([network(part.float().div_(255)) for part in data.test_images.split(1000)])
    right = (outputs.argmax(1) == data.test_labels).float().mean()
    return float(right), float(cross_entropy(outputs, data.test_labels))


def check(data: Dataset, model: str, settings: TrainSettings, size: Size, recipe: str) -> str:
    """Refuse to measure unless both loops end with the same weights."""
    first, second = ours(data, model, settings, size, recipe), bare(data, model, settings, size, recipe)
    if first.keys() != second.keys() or not all(torch.equal(first[name], second[name]) for name in first):
        raise AssertionError(f"{model}: the two loops end with different weights, so their times mean nothing")
    return f"{model}, {recipe}: both loops end with the same bits"


def measure(repetitions: int = 5, models: tuple[str, ...] = ("lenet5", "convnet"), size: Size = Size()) -> list[Row]:
    """Two rows a network: trained dense by both, and by RigL in both."""
    data = synthetic(size)
    _ = data.fingerprint  # computed once and kept: it belongs to reading the data, not to the loop
    rows = []
    for model in models:
        settings = settings_of(model, size)
        for recipe in ("dense", "rigl"):
            print(check(data, model, replace(settings, epochs=1), size, recipe))
            tasks = {
                "ours": lambda model=model, settings=settings, recipe=recipe: ours(data, model, settings, size, recipe),
                "bare": lambda model=model, settings=settings, recipe=recipe: bare(data, model, settings, size, recipe),
            }
            seconds = interleaved(tasks, repetitions)
            what = f"gossamer train, {model}, {recipe}, against a bare loop"
            rows.append(Row(what=what, ours=seconds["ours"], peer=seconds["bare"], kind="overhead", target=TARGET))
    return rows


if __name__ == "__main__":
    run(measure, __doc__)
