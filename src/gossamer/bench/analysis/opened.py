"""A finished run, opened to be looked into: its network, masks, data, and what was measured along its training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.bench import traced
from gossamer.bench.described import described
from gossamer.bench.lab import read_masks
from gossamer.bench.place import Bench
from gossamer.bench.prepare import prepare
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.subject import subject
from gossamer.bench.tracer import fixed_images
from gossamer.bench.watch import Watch
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

    def trace(self, name: str) -> list[dict[str, Any]]:
        """A table that was measured along the training, ``flow``, ``updates`` or ``masks``; empty without one."""
        return traced.table(self.folder, name)

    def snapshots(self) -> list[int]:
        """The mask updates around which weights and masks were kept."""
        return traced.snapshots(self.folder)

    def snapshot(self, step: int, moment: str) -> tuple[dict[str, Tensor], Masks]:
        """Weights and masks ``"before"`` or ``"after"`` the masks changed at a step."""
        return traced.snapshot(self.folder, step, moment)


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
