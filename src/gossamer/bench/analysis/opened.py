"""A finished run, opened to be looked into: its network, masks, data, and what was measured along its training."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.bench.described import described
from gossamer.bench.lab import read_masks
from gossamer.bench.place import Bench
from gossamer.bench.prepare import prepare
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.subject import subject
from gossamer.bench.tracer import fixed_images
from gossamer.bench.watch import Watch
from gossamer.core import masks as mask_ops
from gossamer.core.errors import DataError, MissingError
from gossamer.core.masks import Masks

FOLDER = "analysis"  # in the run's own
TRAIN_WORD, TEST_WORD = 5, 8  # seeds of the choice of images; training images are those of the trace

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Opened:
    """A finished run.

    Args:
        folder: its files.
        spec: what was run.
        bench: the images it was trained and tested on.
        model: the trained network, in evaluation mode, on the bench's device.
        masks: who lives; empty of a dense run.
        digest: of the file of its weights.
    """

    folder: RunFolder
    spec: RunSpec
    bench: Bench
    model: nn.Module
    masks: Masks
    digest: str

    @property
    def name(self) -> str:
        """What it is called in legends."""
        spec = self.spec
        return f"{spec.recipe} {100 * spec.sparsity:g} %" if spec.sparsity else spec.recipe

    @property
    def title(self) -> str:
        """What it is, in words."""
        return f"{self.bench.data.label}, {self.spec.model}, {self.name}, seed {self.spec.seed}"

    @property
    def alive(self) -> Masks | None:
        """The masks; None of a dense run."""
        return self.masks or None

    def train(self, count: int) -> Batch:
        """So many training images in [0, 1] with their labels; the first ones are those of the trace."""
        return fixed_images(self.bench.train, count, self.spec.train, TRAIN_WORD)

    def test(self, count: int) -> Batch:
        """So many test images in [0, 1] with their labels, the same for all runs on this data."""
        return fixed_images(self.bench.test, count, self.spec.train, TEST_WORD)

    def trace(self, table: str) -> list[dict[str, Any]]:
        """A table that was measured along the training, ``flow``, ``updates`` or ``masks``; empty without one.

        Args:
            table: its name.

        Returns:
            Its rows.

        Raises:
            DataError: the file is damaged.
        """
        file = self.folder.path / f"{table}.jsonl"
        try:
            return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        except ValueError as error:
            raise DataError(f"expected a line of JSON a measurement in {file}, got something else ({error})") from None

    def snapshots(self) -> list[int]:
        """The mask updates around which weights and masks were kept."""
        names = [path.name for path in self.folder.path.glob("snapshot-*-after.safetensors")]
        steps = [int(re.sub(r"\D", "", name)) for name in names]
        return sorted(step for step in steps if (self.folder.path / _snapshot(step, "before")).exists())

    def snapshot(self, step: int, moment: str) -> tuple[dict[str, Tensor], Masks]:
        """Weights and masks of a moment.

        Args:
            step: one of ``snapshots()``.
            moment: ``"before"`` or ``"after"`` the masks changed.

        Returns:
            A state of the model, on the CPU, and its masks.
        """
        stored = self.folder.load_tensors(_snapshot(step, moment))
        weights = {name: tensor for name, tensor in stored.items() if not name.startswith("masks.")}
        bits = {name.removeprefix("masks."): tensor for name, tensor in stored.items() if name not in weights}
        return weights, mask_ops.unpack(bits, {name: tuple(weights[name].shape) for name in bits})


class Untrained(Watch):
    """Lets no run be trained: who looks into one does not want hours of another."""

    def start(self, name: str, done: int, total: int) -> None:
        """Say which run is missing."""
        raise MissingError(
            f"expected the finished run {name} beside the one that is analyzed, whose images or weights come from it; "
            "put it back"
        )


def opened(path: Path, data: str | None, folder: Path | None, device: torch.device) -> Opened:
    """Open the folder of a finished run.

    Args:
        path: the folder.
        data: name or path of its data set; None: as the run has it.
        folder: where a named data set lies.
        device: where the network will be.

    Returns:
        The run.

    Raises:
        MissingError: no run is there, it is not finished, or its images were chosen by runs that are gone.
        DataError: its data set has another content now, or a file of it is damaged.
    """
    files = RunFolder(path)
    if not path.is_dir():
        raise MissingError(
            f"expected the folder of a finished run, got {path}; `gossamer train` prints that of its run"
        )
    spec = described(files)
    if files.result() is None:
        raise MissingError(
            f"expected a finished run, but {path} has no result.json yet; run its `gossamer train` again with the same "
            "options: it goes on where it stopped"
        )
    found = subject(path, data, folder, None, device)
    if found.data.fingerprint != spec.fingerprint:
        raise DataError(
            f"expected the data set that {path} was trained on, but {found.data.label} has another content; name the "
            "right one with --data and --folder"
        )
    bench = prepare(spec, Bench(found.data, path.parent, device=device, watch=Untrained())).bench
    masks = read_masks(files, found.model.state_dict())
    return Opened(
        files, spec, bench, found.model, {name: mask.to(device) for name, mask in masks.items()}, found.digest
    )


def _snapshot(step: int, moment: str) -> str:
    return f"snapshot-{step:06d}-{moment}.safetensors"
