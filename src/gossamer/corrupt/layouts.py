"""Corrupted sets on disk, in the layouts of the official ones: what is there, checked, and read in chunks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from gossamer.core.errors import DataError, MissingError, UnknownNameError
from gossamer.corrupt.layouts_arrays import array_kinds, read_arrays
from gossamer.corrupt.layouts_folders import folder_kinds, read_folders
from gossamer.corrupt.provenance import read_provenance
from gossamer.corrupt.table import CORRUPTIONS


class Files(Protocol):
    """What the layouts have in common."""

    @property
    def severities(self) -> tuple[int, ...]:
        """That every kind has."""

    @property
    def count(self) -> int:
        """Images of each kind and severity."""

    @property
    def source(self) -> str:
        """What the files are, in words."""

    def batches(self, kind: str, severity: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels in the files' order."""


@dataclass(frozen=True)
class CorruptedSet:
    """A corrupted data set on disk; ``read_corrupted`` finds and checks it.

    Args:
        path: its folder.
        layout: ``"cifar-c"`` (an array a kind) or ``"folders"`` (an image a file).
        kinds: names of its corruptions, in the published order, then by the alphabet.
        severities: that every kind has.
        count: images of each kind and severity.
        source: what the files are, such as ``"arrays"`` or ``"JPEG files"``.
        provenance: how ``write_corrupted`` made it; None for other sets.
        files: reads them.
    """

    path: Path
    layout: str
    kinds: tuple[str, ...]
    severities: tuple[int, ...]
    count: int
    source: str
    provenance: Mapping[str, Any] | None = None
    files: Files = field(kw_only=True, repr=False, compare=False)

    def check(self, kind: str, severity: int) -> None:
        """Refuse what the set does not have.

        Args:
            kind: a name.
            severity: a number.

        Raises:
            UnknownNameError: no such kind here.
            DataError: no such severity here.
        """
        if kind not in self.kinds:
            raise UnknownNameError(f"corruption in {self.path}", kind, self.kinds)
        if severity not in self.severities:
            raise DataError(f"{self.path}: expected a severity out of {self.severities}, got {severity!r}")

    def batches(self, kind: str, severity: int, size: int = 500) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of one kind and severity, in chunks that fit into memory.

        Args:
            kind: one of ``kinds``.
            severity: one of ``severities``.
            size: images of a chunk.

        Yields:
            uint8 (B, C, H, W) and int64 (B,); the same labels in the same order for every kind and severity.
        """
        self.check(kind, severity)
        yield from self.files.batches(kind, severity, size)

    def images(self, kind: str, severity: int) -> tuple[Tensor, Tensor]:
        """All images and labels of one kind and severity: ``batches`` in one piece.

        50,000 images of 224 pixels take 7.5 GB; use ``batches`` for such.

        Args:
            kind: one of ``kinds``.
            severity: one of ``severities``.

        Returns:
            uint8 (N, C, H, W) and int64 (N,).
        """
        images, labels = zip(*self.batches(kind, severity), strict=True)
        return torch.cat(images), torch.cat(labels)


def read_corrupted(
    path: str | Path,
    *,
    kinds: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
) -> CorruptedSet:
    """Find out what a corrupted set on disk is, and check that it is whole.

    Arrays: CIFAR-10-C, CIFAR-100-C, CIFAR-10-C-bar: ``<kind>.npy``, uint8 (S·N, H, W, C), all images of severity 1,
    then of 2, ..., and ``labels.npy`` with S·N or N labels. Folders: ImageNet-C, Tiny-ImageNet-C, ImageNet-C-bar,
    ImageNet-3DCC: ``<kind>/<severity>/<class>/<file>``, also with folders such as ``noise`` above the kinds;
    severities 1 to 5, or the levels that ImageNet-C-bar's generator names its folders by.

    Args:
        path: the folder.
        kinds: those it must have; default: all that are there.
        severities: those it must have; default: all that are there.
        classes: names of the class folders in the order of the labels; default: the alphabet's, as torchvision has it.

    Returns:
        Its description, which reads images when asked to.

    Raises:
        MissingError: no such folder.
        DataError: nothing recognised, an unfinished set, or kinds, severities, labels or lengths that do not fit.

    Example:
        >>> read_corrupted("CIFAR-10-C")
        Traceback (most recent call last):
        gossamer.core.errors.MissingError: CIFAR-10-C: no such folder; give the folder of an extracted corrupted set
    """
    place = Path(path)
    if not place.is_dir():
        raise MissingError(f"{place}: no such folder; give the folder of an extracted corrupted set")
    made = read_provenance(place)
    found = array_kinds(place), folder_kinds(place)
    if made and (missing := sorted(set(made["kinds"]) - set(found[0] or found[1]))):
        raise DataError(
            f"{place}: this set is unfinished, {', '.join(missing)} missing; call write_corrupted again as before: it "
            "keeps what is there"
        )
    if not found[0] and not found[1]:
        raise DataError(_nothing_recognised(place))
    chosen = _chosen(place, kinds, tuple(found[0] or found[1]))
    files: Files
    if found[0]:
        files = read_arrays(place, chosen, tuple(made["severities"]) if made else None)
    else:
        named = classes or (made["classes"] if made else None)
        files = read_folders(place, {kind: found[1][kind] for kind in chosen}, named)
    layout = "cifar-c" if found[0] else "folders"
    have = _severities(place, severities or (made["severities"] if made else None), files.severities)
    source = f"{files.source} of quality {made['quality']}" if made and made["quality"] else files.source
    return CorruptedSet(place, layout, chosen, have, files.count, source, made, files=files)


def _chosen(path: Path, wanted: Sequence[str] | None, found: tuple[str, ...]) -> tuple[str, ...]:
    order = list(CORRUPTIONS)
    missing = [kind for kind in wanted or () if kind not in found]
    if missing:
        raise DataError(
            f"{path}: expected {', '.join(missing)} too, but only {', '.join(sorted(found))} are here; extract or "
            "write them, or name the kinds you have"
        )
    return tuple(sorted(wanted or found, key=lambda kind: (order.index(kind) if kind in order else len(order), kind)))


def _severities(path: Path, wanted: Sequence[int] | None, found: tuple[int, ...]) -> tuple[int, ...]:
    if missing := sorted(set(wanted or ()) - set(found)):
        raise DataError(
            f"{path}: expected severities {missing} too, but only {list(found)} are here; write or extract them, or "
            "name the ones you have"
        )
    return tuple(sorted(wanted or found))


def _nothing_recognised(path: Path) -> str:
    names = sorted(child.name for child in path.iterdir())
    there = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "") if names else "nothing"
    advice = "extract the archives first" if any(".tar" in name for name in names) else "give the folder of the set"
    return (
        f"{path}: expected a corrupted set, <kind>.npy with labels.npy or <kind>/<severity>/<class>/<file>, but "
        f"found {there}; {advice}"
    )
