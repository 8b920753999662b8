"""What makes one corrupted version of a data set differ from another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.core.given import check_seed, check_tensor
from gossamer.corrupt.apply import check_images, check_severity, corrupt, levels
from gossamer.corrupt.families import LARGEST
from gossamer.corrupt.frost import PHOTOGRAPHS, PROCEDURAL, folder_of
from gossamer.corrupt.table import CORRUPTIONS

SEVERITIES = (1, 2, 3, 4, 5)  # the published ones
CHUNK = 2**24  # bytes of clean images at once; with their corruption and its workings well below 1 GB


class Images(Protocol):
    """Images by slices: a tensor (N, C, H, W), or anything that reads them when asked to."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, where: slice, /) -> Tensor:
        """Those of a slice, (B, C, H, W)."""


def chunks(images: Images) -> Iterator[tuple[range, Tensor]]:
    """The images in pieces that fit into memory: where each lies, and its levels."""
    size = max(1, CHUNK // images[0:1].numel())
    for first in range(0, len(images), size):
        where = range(first, min(first + size, len(images)))
        yield where, levels(images[where.start : where.stop])


@dataclass(frozen=True)
class Recipe:
    """Everything but the images, the kind and the severity.

    Args:
        seed: of the random kinds, 0 or more.
        family: whose constants; None: those of the images' size.
        frost: pictures of ice, as ``corrupt`` takes them.
    """

    seed: int = 0
    family: str | None = None
    frost: str | Path | None = None

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def picture(self, images: Tensor, kind: str, severity: int, index: Sequence[int] | Tensor) -> Tensor:
        """Corrupted levels, uint8 (B, C, H, W), of levels or floats in [0, 1]."""
        options: dict[str, Any] = {"seed": self.seed, "family": self.family, "frost": self.frost}
        return corrupt(levels(images), kind, severity, index=index, **options)

    def ice(self, kinds: Iterable[str]) -> str | None:
        """Which pictures of ice the kinds use, by their content; None without ``frost`` among them."""
        if "frost" not in kinds:
            return None
        folder = folder_of(self.frost)
        if folder is None:
            return PROCEDURAL
        content = b"".join((folder / name).read_bytes() for name in PHOTOGRAPHS)
        return f"photographs (sha256 {sha256(content).hexdigest()[:16]})"


def check_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """Refuse names that no corruption has, none at all, or one twice.

    Args:
        kinds: names.

    Returns:
        Them.

    Raises:
        UnknownNameError: no such corruption.
        SettingError: no kind, or one twice.
    """
    names = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for name in names:
        if name not in CORRUPTIONS:
            raise UnknownNameError("corruption", name, CORRUPTIONS)
    if not names or len(set(names)) < len(names):
        raise SettingError(f"expected at least one kind of corruption and none twice, got {', '.join(names) or 'none'}")
    return names


def check_fit(images: Images, kinds: Iterable[str]) -> tuple[str, ...]:
    """Refuse kinds that these images cannot have, before the first of them is made.

    Args:
        images: N of them; the first is looked at.
        kinds: names.

    Returns:
        The kinds.
    """
    names = check_kinds(kinds)
    for name in names:
        check_images(images[0:1], CORRUPTIONS[name].colour, name)
    return names


def check_severities(severities: Iterable[int] | int) -> tuple[int, ...]:
    """Refuse severities that are not 1 to 5, or 6, which is extrapolated, rising.

    Args:
        severities: whole numbers, or a single one.

    Returns:
        Them.

    Raises:
        SettingError: another number, none, or not in rising order.
    """
    given = tuple(severities) if isinstance(severities, Iterable) else (severities,)
    for severity in given:
        check_severity(severity)
    if not given or 0 in given or list(given) != sorted(set(given)):
        raise SettingError(
            f"expected severities of 1 to 5 ({LARGEST} is extrapolated), rising, got {given}; clean images are no "
            "severity here"
        )
    return tuple(int(severity) for severity in given)


def check_labels(images: Images, labels: Tensor) -> Tensor:
    """Refuse labels that do not belong to the images.

    Args:
        images: N of them.
        labels: whole numbers of 0 or more, (N,).

    Returns:
        The labels, int64 on the CPU.

    Raises:
        DataError: another length or type, no images, or no tensor.
    """
    check_tensor(labels, "labels")
    if labels.ndim != 1 or len(labels) != len(images) or not len(images):
        raise DataError(
            f"expected as many labels as images, and some, got {len(images):,} images and labels "
            f"{tuple(labels.shape)}; give a tensor (N,)"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == labels.new_zeros(0).bool().dtype:
        raise DataError(f"expected whole numbers as labels, got {labels.dtype}; convert them by .long()")
    if labels.min() < 0:
        raise DataError(f"expected labels of 0 or more, got {int(labels.min())}")
    return labels.long().cpu()
