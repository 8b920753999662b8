"""Where runs happen: the data, the folder of all runs, the device, and who looks on."""

import platform
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gossamer._version import __version__
from gossamer.bench.data import Dataset
from gossamer.bench.samples import Samples
from gossamer.bench.watch import Watch

CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class Bench:
    """Where runs happen.

    Args:
        data: the data set.
        out: folder of all runs.
        device: where networks live.
        watch: who looks on.
        checkpoint_seconds: at least so long between two checkpoints; 0 makes one after every step.
        chosen: indices of the training images used, by the spec's ``keep`` and ``hard``; None is all.
        clean: the data set before it was corrupted; None if it was not.
    """

    data: Dataset
    out: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    watch: Watch = field(default_factory=Watch)
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    chosen: Tensor | None = None
    clean: Dataset | None = None

    @cached_property
    def train(self) -> Samples:
        """What is trained on."""
        images, labels = self.data.train_images, self.data.train_labels
        chosen = Samples(images, labels) if self.chosen is None else Samples(images[self.chosen], labels[self.chosen])
        return chosen.to(self.device)

    @cached_property
    def test(self) -> Samples:
        """What is tested on: the test set, corrupted as the training set is."""
        return Samples(self.data.test_images, self.data.test_labels).to(self.device)

    @cached_property
    def clean_test(self) -> Samples | None:
        """The test set as it was before it was corrupted; None if it was not."""
        if self.clean is None:
            return None
        return Samples(self.clean.test_images, self.clean.test_labels).to(self.device)


def environment(device: torch.device) -> dict[str, Any]:
    """Versions and machine: what bits may depend on besides the spec.

    Example:
        >>> environment(torch.device("cpu"))["gossamer"] == __version__
        True

    Returns:
        Plain words and numbers.
    """
    return {
        "gossamer": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
    }
