"""What a network answers to every sample after each epoch of a training."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.hardness.collect import collect
from gossamer.hardness.inference import Batches


class Collector:
    """The logits of every sample after each epoch of a training, for the scores of its dynamics.

    ``record`` at the end of an epoch costs one inference of the data set; nothing of the training changes. It keeps
    E · N · C numbers of 4 bytes: 200 MB for ten epochs of CIFAR-100's 50 000 images.

    Args:
        count: number of samples, N.

    Raises:
        SettingError: `count` is below 1.

    Example:
        >>> model, batches = nn.Linear(2, 2), [(torch.tensor([0]), torch.ones(1, 2), torch.tensor([1]))]
        >>> collector = Collector(count=1)
        >>> for epoch in range(3):
        ...     collector.record(model, batches)
        >>> collector.logits.shape, collector.labels
        (torch.Size([3, 1, 2]), tensor([1]))
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise SettingError(f"expected count ≥ 1, the number of samples, got {count}")
        self.count = count
        self._passes: list[Tensor] = []
        self._labels = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._passes)

    @property
    def logits(self) -> Tensor:
        """float32 (E, N, C): a copy, of all passes so far."""
        self._check_begun()
        return torch.stack(self._passes)

    @property
    def labels(self) -> Tensor:
        """int64 (N,)."""
        self._check_begun()
        return self._labels

    def record(self, model: nn.Module, batches: Batches) -> None:
        """One pass as of ``collect``, kept behind the earlier ones.

        Args:
            model: gives logits (B, C).
            batches: yields (indices, images, labels), each index once, without augmentation.

        Raises:
            DataError: as ``collect``, or labels or the number of classes are not those of the first pass.
        """
        logits, labels = collect(model, batches, self.count)
        if self._passes:
            self._check_same(logits, labels)
        self._labels = labels
        self._passes.append(logits)

    def state_dict(self) -> dict[str, Any]:
        """Everything recorded, for a checkpoint: ``count``, ``passes`` (a list of (N, C)) and ``labels``."""
        return {"count": self.count, "passes": list(self._passes), "labels": self._labels}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what another collector recorded.

        Args:
            state: from ``state_dict``.

        Raises:
            StateError: it is of another number of samples.
        """
        if state["count"] != self.count:
            raise StateError(
                f"expected a collector's state of {self.count} samples, got one of {state['count']}; "
                "it is of another data set"
            )
        self._passes = list(state["passes"])
        self._labels = state["labels"]

    def _check_begun(self) -> None:
        if not self._passes:
            raise StateError("nothing is recorded yet; call record(model, batches) after each epoch")

    def _check_same(self, logits: Tensor, labels: Tensor) -> None:
        if logits.shape != self._passes[0].shape:
            raise DataError(
                f"expected {self._passes[0].shape[1]} classes as in the first pass, got {logits.shape[1]}; "
                "use one collector a model"
            )
        changed = (labels != self._labels).nonzero().flatten()
        if len(changed):
            raise DataError(
                f"the labels of {len(changed)} samples changed since the first pass, the first is index "
                f"{int(changed[0])}; an index must mean the same sample in every pass"
            )
