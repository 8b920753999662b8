"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from the official python pickles, read without executing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gossamer.bench.data.archive import members
from gossamer.bench.data.dataset import check_split
from gossamer.bench.data.unpickle import read_pickle
from gossamer.core.errors import DataError

PIXELS = (3, 32, 32)  # one row of a batch: red, green, blue planes, each row by row


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Which pickles make a CIFAR data set.

    Attributes:
        train: file names of the training batches.
        test: file name of the test batch.
        meta: file name of the class names.
        labels: key of the labels in a batch.
        names: key of the class names in the meta file.
        num_classes: how many classes there are.
    """

    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    names: str
    num_classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """All file names."""
        return (*self.train, self.test, self.meta)


CIFAR10 = Batches(
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels="labels",
    names="label_names",
    num_classes=10,
)
CIFAR100 = Batches(
    train=("train",), test="test", meta="meta", labels="fine_labels", names="fine_label_names", num_classes=100
)


def read_batches(batches: Batches, paths: Sequence[Path]) -> tuple[Tensor, Tensor, Tensor, Tensor, tuple[str, ...]]:
    """Read a CIFAR data set.

    Args:
        batches: which pickles make it.
        paths: the pickles themselves, or the one official archive that holds them.

    Returns:
        Train images uint8 (N, 3, 32, 32) and labels int64 (N,), the same for test, and the class names.
    """
    folder = paths[0].parent if len(paths) > 1 else paths[0]
    contents = {path.name: path.read_bytes() for path in paths} if len(paths) > 1 else _archived(batches, folder)
    pickles = {name: read_pickle(contents[name], f"{folder / name}") for name in batches.files}
    parts = [_split(pickles[name], batches, f"{folder / name}") for name in batches.train]
    train_images, train_labels = (torch.cat(list(tensors)) for tensors in zip(*parts, strict=True))
    test_images, test_labels = _split(pickles[batches.test], batches, f"{folder / batches.test}")
    return train_images, train_labels, test_images, test_labels, _classes(pickles[batches.meta], batches, folder)


def _archived(batches: Batches, path: Path) -> dict[str, bytes]:
    contents = {inside.name: content for inside, content in members(path) if inside.name in batches.files}
    if absent := [name for name in batches.files if name not in contents]:
        raise DataError(f"{path}: expected the official archive, but it lacks {', '.join(absent)}; get it again")
    return contents


def _split(batch: Mapping[str, Any], batches: Batches, source: str) -> tuple[Tensor, Tensor]:
    data, labels = _entry(batch, "data", np.ndarray, source), _entry(batch, batches.labels, list, source)
    if data.ndim != 2 or data.shape[1] != np.prod(PIXELS):
        raise DataError(f"{source}: expected data of shape (N, 3072), got {data.shape}; get the file again")
    if not all(isinstance(label, int) for label in labels):
        raise DataError(f"{source}: expected whole numbers as {batches.labels!r}; get the file again")
    images, targets = torch.from_numpy(data.copy()).view(-1, *PIXELS), torch.tensor(labels, dtype=torch.int64)
    check_split(images, targets, batches.num_classes, source)
    return images, targets


def _classes(meta: Mapping[str, Any], batches: Batches, folder: Path) -> tuple[str, ...]:
    names = _entry(meta, batches.names, list, f"{folder / batches.meta}")
    if len(names) != batches.num_classes:
        raise DataError(
            f"{folder / batches.meta}: expected {batches.num_classes} class names, got {len(names)}; get the file again"
        )
    return tuple(name.decode("latin1") if isinstance(name, bytes) else str(name) for name in names)


def _entry(entries: Mapping[str, Any], key: str, kind: type, source: str) -> Any:
    if not isinstance(entries.get(key), kind):
        raise DataError(
            f"{source}: expected an entry {key!r} of type {kind.__name__}, got {type(entries.get(key)).__name__} "
            f"(entries: {', '.join(sorted(entries))}); this is another file than its name says"
        )
    return entries[key]
