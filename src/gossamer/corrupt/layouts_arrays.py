"""The layout of CIFAR-10-C: one array a kind, severity after severity, and an array of labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.core.errors import DataError

LABELS = "labels.npy"
OFFICIAL = 5  # severities, where nothing else says how many


@dataclass(frozen=True)
class ArrayFiles:
    """Arrays that have been checked.

    Args:
        path: their folder.
        severities: in the order of the arrays.
        labels: int64 (N,), of one severity.
    """

    path: Path
    severities: tuple[int, ...]
    labels: Tensor
    source: str = "arrays"

    @property
    def count(self) -> int:
        """Images of each kind and severity."""
        return len(self.labels)

    def batches(self, kind: str, severity: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels, mapped from the disk a chunk at a time.

        Args:
            kind: whose array.
            severity: which of its blocks.
            size: images of a chunk.

        Yields:
            uint8 (B, C, H, W), int64 (B,).
        """
        begin = self.severities.index(severity) * self.count
        for first in range(0, self.count, size):
            last = min(first + size, self.count)
            array = mapped(self.path / f"{kind}.npy")  # anew: pages once read are given back
            chunk = torch.from_numpy(np.array(array[begin + first : begin + last]))
            yield chunk.permute(0, 3, 1, 2).contiguous(), self.labels[first:last]


def array_kinds(path: Path) -> dict[str, Path]:
    """The arrays of a folder but for the labels, by kind."""
    return {file.stem: file for file in sorted(path.glob("*.npy")) if file.name != LABELS}


def read_arrays(path: Path, kinds: tuple[str, ...], severities: tuple[int, ...] | None) -> ArrayFiles:
    """Check the arrays of a folder against each other and their labels.

    Args:
        path: the folder.
        kinds: whose arrays.
        severities: in their order, if known; else as many as the labels imply, or five.

    Returns:
        What reads them.

    Raises:
        DataError: an array of another shape or type, or labels that do not match.
    """
    rows = _common_length(path, kinds)
    labels = _labels(path)
    known = severities or tuple(range(1, 1 + (rows // len(labels) if len(labels) < rows else OFFICIAL)))
    count = rows // len(known)
    if rows != count * len(known) or len(labels) not in (rows, count):
        raise DataError(
            f"{path}: {rows:,} images a kind and {len(labels):,} labels do not match; expected {len(known)} "
            f"severities of the same number of images, and a label for each of the {rows:,} or for each of one severity"
        )
    if not (labels.view(-1, count) == labels[:count]).all():
        raise DataError(
            f"{path / LABELS}: expected the labels of {count:,} images {len(known)} times over, but the severities "
            "differ in them; take the labels that came with these arrays"
        )
    return ArrayFiles(path, known, labels[:count].clone())


def mapped(file: Path) -> NDArray[Any]:
    """An array that stays on the disk.

    Args:
        file: a .npy file.

    Returns:
        It, read-only.

    Raises:
        DataError: it is damaged, incomplete, or holds Python objects, which could run code.
    """
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{file}: cannot be read as an array of numbers ({error}); get the file again") from None
    return array


def _common_length(path: Path, kinds: tuple[str, ...]) -> int:
    shapes = {kind: _shape(path / f"{kind}.npy") for kind in kinds}
    first, shape = next(iter(shapes.items()))
    for kind, other in shapes.items():
        if other != shape:
            raise DataError(
                f"{path}: {kind}.npy is {other}, but {first}.npy is {shape}; expected arrays of one shape: get the "
                "odd one again, or put sets of different images into different folders"
            )
    return shape[0]


def _shape(file: Path) -> tuple[int, ...]:
    array = mapped(file)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] not in (1, 3) or not array.size:
        raise DataError(
            f"{file}: expected uint8 (images, height, width, 1 or 3), got {array.dtype} {array.shape}; a corrupted "
            "set holds levels 0 to 255"
        )
    return array.shape


def _labels(path: Path) -> Tensor:
    file = path / LABELS
    if not file.exists():
        raise DataError(f"{path}: expected {LABELS} beside the images; copy it from the set's archive")
    array = mapped(file)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer) or not len(array) or array.min() < 0:
        raise DataError(f"{file}: expected whole numbers of 0 or more, one an image, got {array.dtype} {array.shape}")
    return torch.from_numpy(array.astype(np.int64))
