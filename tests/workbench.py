"""Tiny runs of the workbench, and what is compared of them."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from gossamer.bench.data import load
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.place import Bench
from gossamer.bench.settings import TrainSettings
from gossamer.bench.spec import RunSpec
from gossamer.bench.watch import Watch

# what a run says; env.json and timing.json tell of machine and time, and may differ
SAID = ("result.json", "metrics.jsonl", "model.safetensors", "masks.safetensors", "report.txt")
TRAIN = TrainSettings(epochs=2, batch_size=32, lr=0.05, schedule="cosine")


@cache
def digits(train: int = 96, test: int = 40) -> Dataset:
    """The first images of each split."""
    data = load("digits")
    return replace(
        data,
        train_images=data.train_images[:train],
        train_labels=data.train_labels[:train],
        test_images=data.test_images[:test],
        test_labels=data.test_labels[:test],
    )


def bench(out: Path, data: Dataset | None = None, **changes: Any) -> Bench:
    return Bench(data or digits(), out, **changes)


def spec(recipe: str = "rigl", *, data: Dataset | None = None, train: TrainSettings = TRAIN, **changes: Any) -> RunSpec:
    fields: dict[str, Any] = {"model": "mlp300", "sparsity": 0.0 if recipe == "dense" else 0.9}
    if recipe.startswith("rigl"):
        fields["settings"] = {"every": "1", "stop": "1"}  # published intervals are longer than these runs
    return RunSpec(
        data="digits", fingerprint=(data or digits()).fingerprint, recipe=recipe, train=train, **{**fields, **changes}
    )


def said(folder: Path) -> dict[str, bytes]:
    """The bytes of what a run says, outputs after each epoch included."""
    names = [*SAID, *(path.name for path in sorted(folder.glob("logits-*.safetensors")))]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


class Stopped(Exception):
    """What a test stops a run with."""


class Counting(Watch):
    """Counts steps; raises ``Stopped`` at the step numbered ``stop`` from 1, before its checkpoint."""

    def __init__(self, stop: int | None = None) -> None:
        self.steps, self.stop = 0, stop
        self.started: list[str] = []

    def start(self, name: str, done: int, total: int) -> None:
        self.started.append(name)

    def step(self, done: int) -> None:
        self.steps += 1
        if self.steps == self.stop:
            raise Stopped
