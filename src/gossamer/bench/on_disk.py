"""A corrupted set on the disk, checked against the data set that it should be a version of."""

import json
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from gossamer.bench.data.dataset import Dataset
from gossamer.core.errors import DataError
from gossamer.corrupt import CorruptedSet, read_corrupted
from gossamer.corrupt.layouts_arrays import LABELS, ArrayFiles
from gossamer.corrupt.layouts_folders import ImageFolders
from gossamer.corrupt.provenance import PROVENANCE, fingerprint, read_provenance


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
        DataError: its images have another size, there is another number of them in some class, the labels of arrays
            are not those of the test set, one by one, or the set says that it was made of other images.
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
    if isinstance(found.files, ArrayFiles):
        _check_labels(found.files, data)
    _check_source(found, data)
    return found


def _check_labels(files: ArrayFiles, data: Dataset) -> None:
    """Arrays hold the images in the order of the test set; equal class counts would let shuffled labels pass."""
    wrong = int((files.labels != data.test_labels.cpu()).sum())
    if wrong:
        raise DataError(
            f"{files.path / LABELS}: expected the labels of the test images of {data.label}, in their order, but "
            f"{wrong:,} of {files.count:,} differ; take the labels that came with these arrays, or, if the set has an "
            "order of its own, put its images and labels into the order of the data set"
        )


def _check_source(found: CorruptedSet, data: Dataset) -> None:
    """A set that ``write_corrupted`` made says of which images and labels."""
    said = (found.provenance or {}).get("sha256")
    if said is not None and said != fingerprint(data.test_images, data.test_labels):
        raise DataError(
            f"{found.path}: expected a set made of the test images of {data.label}, but its {PROVENANCE} says that "
            "it was made of other images or labels; write it anew with gossamer corrupt, or name its data with --data"
        )


def identity(found: CorruptedSet) -> str:
    """What tells one set from another, for numbers that are kept.

    Args:
        found: the set.

    Returns:
        A digest of what the small files hold and of the others' names, sizes and times; for a set that does not say
        how it was made, of its place too.
    """
    place = str(found.path.resolve()) if found.provenance is None else ""
    told = [place, *(_content(found.path / name) for name in (PROVENANCE, LABELS)), *sorted(_files(found.path))]
    return f"set {sha256(json.dumps(told).encode()).hexdigest()[:16]}"


def _content(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Name, bytes and time of every file below, without hidden ones and those whose content is looked at."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name not in (PROVENANCE, LABELS):
                file = Path(place, name)
                about = file.stat()
                yield file.relative_to(folder).as_posix(), about.st_size, about.st_mtime_ns


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
