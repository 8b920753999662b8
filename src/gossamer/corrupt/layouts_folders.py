"""The layout of ImageNet-C: a folder a kind, in it one a severity, in it one a class, in it the images."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.corrupt.bar import BAR
from gossamer.corrupt.families import LARGEST
from gossamer.corrupt.layouts_images import decoded, images_of, is_number, shape_of, subfolders

DEPTH = 2  # folders that may lie between the given one and the kinds: the set's own name, and noise, blur, ...
Places = Mapping[tuple[str, int], Path]


@dataclass(frozen=True)
class ImageFolders:
    """Folders that have been checked.

    Args:
        places: the folder of each kind and severity.
        severities: that every kind has.
        classes: names of the class folders, in the order of the labels.
        counts: images of each class.
        source: what the files are.
        shape: of an image, (C, H, W).
    """

    places: Places
    severities: tuple[int, ...]
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    source: str
    shape: tuple[int, int, int]

    @property
    def count(self) -> int:
        """Images of each kind and severity."""
        return sum(self.counts.values())

    def batches(self, kind: str, severity: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels, by class, then by file name.

        Args:
            kind: which folder.
            severity: which folder in it.
            size: images of a chunk.

        Yields:
            uint8 (B, C, H, W), int64 (B,).
        """
        files = self._listed(self.places[kind, severity])
        for first in range(0, len(files), size):
            chunk = files[first : first + size]
            images = torch.stack([decoded(file, self.shape) for file, _ in chunk])
            yield images, torch.tensor([label for _, label in chunk], dtype=torch.int64)

    def _listed(self, place: Path) -> list[tuple[Path, int]]:
        files = images_of(place)
        counts = Counter(file.parent.name for file in files)
        for name in self.classes:
            if counts[name] != self.counts[name]:
                raise DataError(
                    f"{place / name}: {counts[name]} images, but {self.counts[name]} in the set's first severity; "
                    "expected the same images for every kind and severity: extract or write this one again"
                )
        numbers = {name: number for number, name in enumerate(self.classes)}
        return sorted(((file, numbers[file.parent.name]) for file in files), key=lambda one: (one[1], one[0].name))


def folder_kinds(path: Path, depth: int = DEPTH) -> dict[str, Path]:
    """The folders of kinds in a folder or a little below it, by name.

    Args:
        path: where to look.
        depth: how many folders may lie between.

    Returns:
        Those whose folders are all named by numbers; empty if there is none.

    Raises:
        DataError: a kind is there twice.
    """
    found: dict[str, Path] = {}
    for child in subfolders(path):
        names = [folder.name for folder in subfolders(child)]
        if names and all(is_number(name) for name in names) and not is_number(child.name):
            deeper = {child.name: child}
        else:
            deeper = folder_kinds(child, depth - 1) if depth else {}
        for kind, place in deeper.items():
            if kind in found:
                raise DataError(f"{path}: {kind} is there twice, {found[kind]} and {place}; remove one of them")
            found[kind] = place
    return found


def read_folders(path: Path, kinds: Mapping[str, Path], classes: Sequence[str] | None) -> ImageFolders:
    """Check the folders of a set against each other.

    Args:
        path: the set's folder, for messages.
        kinds: the folder of each kind.
        classes: names of the class folders in the order of the labels; default: the alphabet's.

    Returns:
        What reads them.

    Raises:
        DataError: severities or classes differ between kinds, or there are no images.
    """
    by_kind = {kind: _severities(kind, folder) for kind, folder in kinds.items()}
    every = set().union(*by_kind.values())
    for kind, own in by_kind.items():
        if missing := sorted(every - set(own)):
            raise DataError(
                f"{path}: {kind} lacks severities {missing}, which other kinds have; extract or write them, or name "
                "the kinds to read"
            )
    places = {(kind, severity): folder for kind, own in by_kind.items() for severity, folder in own.items()}
    names = _classes(path, places, classes)
    files = images_of(next(iter(places.values())))
    if not files:
        raise DataError(f"{path}: expected images (.JPEG, .jpg or .png) in {next(iter(places.values()))}, found none")
    counts = Counter(file.parent.name for file in files)
    source = "PNG files" if files[0].suffix.lower() == ".png" else "JPEG files"
    return ImageFolders(places, tuple(sorted(every)), names, counts, source, shape_of(files[0]))


def _severities(kind: str, folder: Path) -> dict[int, Path]:
    """Folders 1 to 6, or ImageNet-C-bar's levels such as ``2.35``, the smallest being severity 1."""
    names = {float(child.name): child for child in subfolders(folder)}
    if all(child.name.isdigit() and 1 <= int(child.name) <= LARGEST for child in names.values()):
        return {int(number): names[number] for number in sorted(names)}
    levels = [row[0] for row in BAR[kind].constants["imagenet-c"]] if kind in BAR else sorted(names)
    if not set(names) <= set(levels) or len(levels) != 5:
        raise DataError(
            f"{folder}: expected folders 1 to 5, or the published levels of ImageNet-C-bar, found "
            f"{', '.join(child.name for child in names.values())}; rename them to 1 to 5"
        )
    return {levels.index(number) + 1: names[number] for number in sorted(names)}


def _classes(path: Path, places: Places, given: Sequence[str] | None) -> tuple[str, ...]:
    classes = (
        tuple(given) if given else tuple(sorted(folder.name for folder in subfolders(next(iter(places.values())))))
    )
    for place in places.values():
        if odd := {folder.name for folder in subfolders(place)} ^ set(classes):
            raise DataError(
                f"{place}: expected {len(classes)} class folders, the same for every kind and severity, but "
                f"{', '.join(sorted(odd)[:3])} {'is' if len(odd) == 1 else 'are'} in only one of the two; extract or "
                f"write {path} again, or name its classes"
            )
    return classes
