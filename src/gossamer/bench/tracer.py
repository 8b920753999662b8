"""What is measured along a training: gradient flow, how masks change, and snapshots around their changes (P3)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossamer.analyze.flow.collector import GradientFlow
from gossamer.analyze.wiring.history import MaskHistory
from gossamer.bench.data import seeded
from gossamer.bench.samples import Samples, as_input
from gossamer.bench.settings import TrainSettings
from gossamer.bench.trace import Trace
from gossamer.core import masks as mask_ops
from gossamer.core.sparsifier import Sparsifier

MASKS = "masks."  # before the names of masks in a snapshot
Save = Callable[[str, Mapping[str, Tensor]], None]


def fixed_images(samples: Samples, count: int, settings: TrainSettings, *words: int) -> tuple[Tensor, Tensor]:
    """Some training images, the same in every run on these samples.

    Args:
        samples: of the training.
        count: how many, or all if there are fewer.
        settings: for their layout.
        words: seed of the choice.

    Returns:
        Images in [0, 1] and their labels.
    """
    chosen = torch.randperm(len(samples), generator=seeded(*words))[:count].to(samples.labels.device)
    return as_input(samples.images[chosen], settings), samples.labels[chosen]


class Tracer:
    """Measures along one training; its state is part of the checkpoint, so that a resumed run has the same trace.

    Args:
        how: what is measured.
        model: the network.
        samples: of the training.
        settings: of the training.
        sparsifier: who holds the masks; None is dense.
        save: keeps tensors under a name.
    """

    def __init__(
        self,
        how: Trace,
        model: nn.Module,
        samples: Samples,
        settings: TrainSettings,
        sparsifier: Sparsifier | None,
        save: Save,
    ) -> None:
        self.how, self.model, self.sparsifier, self._save = how, model, sparsifier, save
        data = fixed_images(samples, how.images, settings, 5)
        self.flow = GradientFlow(model, cross_entropy, data, masks=sparsifier, every=how.every)
        self.history = None if sparsifier is None else MaskHistory(sparsifier.masks)

    def record(self, step: int, *, always: bool = False) -> None:
        """Measure the gradient norm, if that is due at this step, or always."""
        self.flow.record(step, always=always)

    @contextmanager
    def update(self, step: int) -> Iterator[None]:
        """Around the sparsifier's step: measure before and after where it is due to change the masks."""
        due = self.sparsifier is not None and self.sparsifier.due
        if due and step in self.how.snapshots:
            self._keep(step, "before")
        with self.flow.update(step):
            yield
        if due and self.history is not None and self.sparsifier is not None:
            self.history.record(step, self.sparsifier.masks)
            if step in self.how.snapshots:
                self._keep(step, "after")

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """What was measured so far: rows by the name of the table."""
        masks = [] if self.history is None else self.history.rows()
        return {"flow": self.flow.rows(), "updates": self.flow.updates(), "masks": masks}

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how it goes on."""
        return {
            "flow": self.flow.state_dict(),
            "history": None if self.history is None else self.history.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same trace."""
        self.flow.load_state_dict(state["flow"])
        if self.history is not None:
            self.history.load_state_dict(state["history"])

    def _keep(self, step: int, moment: str) -> None:
        """Weights and masks of this moment, on the disk."""
        masks = {} if self.sparsifier is None else mask_ops.pack(self.sparsifier.masks)
        packed = {f"{MASKS}{name}": bits for name, bits in masks.items()}
        self._save(snapshot_name(step, moment), {**self.model.state_dict(), **packed})


def snapshot_name(step: int, moment: str) -> str:
    """The file of a snapshot.

    Example:
        >>> snapshot_name(500, "before")
        'snapshot-000500-before.safetensors'

    Returns:
        Its name in the run's folder.
    """
    return f"snapshot-{step:06d}-{moment}.safetensors"
