"""A corrupted set on the disk, checked against the data set that it should be a version of."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from gossamer.bench.data.dataset import Dataset
from gossamer.core.errors import DataError
from gossamer.corrupt import CorruptedSet, read_corrupted
from gossamer.corrupt.layouts_arrays import ArrayFiles
from gossamer.corrupt.layouts_folders import ImageFolders
from gossamer.corrupt.provenance import read_provenance


def corrupted_set(
    folder: Path, data: Dataset, kinds: Sequence[str] | None = None, severities: Sequence[int] | None = None
) -> CorruptedSet:
    """The set in a folder, if it is of the test images of a data set.

    Args:
        folder: of the set, in any layout of ``gossamer.corrupt.read_corrupted``.
        data: the data set; the labels of official folders are the numbers of its classes.
        kinds: those to take; None is all.
        severities: those to take; None is all.

    Returns:
        The set.

    Raises:
        DataError: its images have another size, or there is another number of them in some class.
    """
    names = data.classes if read_provenance(folder) is None else None  # else the set itself says whose label is which
    found = read_corrupted(folder, kinds=kinds, severities=severities, classes=names)
    first, _ = next(found.batches(found.kinds[0], found.severities[0], 1))
    if first.shape[1:] != data.test_images.shape[1:]:
        raise DataError(
            f"{folder}: expected images of {data.label}, {_size(data.test_images)}, got {_size(first)}; the set is of "
            "other data: name the network that was trained for it, or another set"
        )
    own, theirs = torch.bincount(data.test_labels, minlength=data.num_classes), _counts(found)
    if own.tolist() != theirs.tolist():
        raise DataError(
            f"{folder}: expected the {len(data.test_labels):,} test images of {data.label}, got {found.count:,} "
            f"images{_where(own, theirs, data)}; the set is of another split or other data"
        )
    return found


def identity(found: CorruptedSet) -> str:
    """What tells one set from another, for numbers that are kept: how it was made, or its place, names and times."""
    if found.provenance is not None:
        told = json.dumps(dict(found.provenance), sort_keys=True)
    else:
        entries = sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in found.path.iterdir())
        told = json.dumps([str(found.path.resolve()), entries])
    return f"set {sha256(told.encode()).hexdigest()[:16]}"


def _counts(found: CorruptedSet) -> Tensor:
    """Images of each class, one severity's."""
    if isinstance(found.files, ArrayFiles):
        return torch.bincount(found.files.labels)
    assert isinstance(found.files, ImageFolders)
    return torch.tensor([found.files.counts.get(name, 0) for name in found.files.classes])


def _size(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))


def _where(own: Tensor, theirs: Tensor, data: Dataset) -> str:
    """The first class with another number of images."""
    if len(own) != len(theirs):
        return f" in {len(theirs)} classes instead of {len(own)}"
    odd = int((own != theirs).nonzero()[0])
    return f", {int(theirs[odd]):,} instead of {int(own[odd]):,} of the class {data.classes[odd]}"
