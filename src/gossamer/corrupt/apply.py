"""Corrupt a batch of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.core.given import check_seed, check_tensor
from gossamer.core.schedule import is_whole
from gossamer.corrupt.families import LARGEST, constants, family_of
from gossamer.corrupt.filters import truncate
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams
from gossamer.corrupt.table import CORRUPTIONS

CHUNK = 2**19  # values at once: 170 colour images of 32 pixels, 4 MB in double precision, about a core's cache


def corrupt(
    images: Tensor,
    name: str,
    severity: int,
    *,
    seed: int = 0,
    index: Sequence[int] | Tensor | None = None,
    family: str | None = None,
    frost: str | Path | None = None,
) -> Tensor:  # (B, C, H, W) -> (B, C, H, W)
    """Corrupt images as Hendrycks & Dietterich do (ICLR 2019, arXiv:1903.12261), with the constants of their size.

    The benchmark is one of 8-bit pictures: results are truncated to levels as the published sets are, and a float
    image is read as its nearest levels. Sums are made in double precision, so that a picture does not depend on the
    images it shares a batch with.

    Args:
        images: (B, C, H, W), square; uint8 levels or float in [0, 1]; one or three channels.
        name: a name of ``CORRUPTIONS``.
        severity: 1 to 5 as published; 0 changes nothing; 6 goes on as ``families.constants`` says (P1 Appendix B).
        seed: 0 or more; the same (seed, index, name, severity) gives the same picture, whatever the batch and its
            order; exactly on CPUs, within one level across devices.
        index: of each image in its data set, (B,); default 0, 1, ...
        family: whose constants: ``"cifar-c"`` (32 px), ``"tinyimagenet-c"`` (64 px), ``"imagenet-c"`` (224 px);
            default: the one of this size.
        frost: pictures of ice for the corruption ``frost``: None for the photographs where the package
            ``imagecorruptions`` is installed and else made ones, ``"procedural"`` for made ones, or a folder of the
            photographs; ``frost_source`` says which.

    Returns:
        Shape, type and device of ``images``; float results are levels divided by 255, rounded to that type: in half
        precision too ``corrupt`` and ``robustness`` read the same levels from them again.

    Raises:
        UnknownNameError: no such corruption or family.
        SettingError: a severity outside 0 to 6, a seed below 0, or a size without published constants.
        DataError: images that are no square pictures in range, or grey where colours are needed.
        MissingError: a folder without the photographs of frost.

    Example:
        >>> clean = torch.full((1, 3, 32, 32), 100, dtype=torch.uint8)
        >>> corrupt(clean, "gaussian_noise", 5).float().std().round()
        tensor(26.)
    """
    if name not in CORRUPTIONS:
        raise UnknownNameError("corruption", name, CORRUPTIONS)
    check_severity(severity)
    check_seed(seed)
    check_images(images, CORRUPTIONS[name].colour, name)
    chosen = family_of(images.shape[-1], family)
    where = list(range(len(images))) if index is None else _indices(index, len(images))
    if severity == 0:
        return images.detach().clone()
    options = {"source": frost} if name == "frost" else {}
    result = torch.empty_like(images, requires_grad=False)
    size = max(1, CHUNK // images[:1].numel()) if len(images) else 1
    for first in range(0, len(images), size):
        part = slice(first, first + size)
        streams = Streams(seed, name, int(severity), where[part], device=images.device, dtype=precision(images))
        changed = _changed(levels(images[part]), CORRUPTIONS[name], int(severity), chosen, streams, options)
        result[part] = changed if images.dtype == torch.uint8 else changed.to(images.dtype) / 255
    return result


def _changed(
    clean: Tensor, kind: Corruption, severity: int, family: str, streams: Streams, options: dict[str, Any]
) -> Tensor:
    """Levels to levels, of a batch that fits into the cache."""
    values = constants(kind, family, severity)
    if kind.levels:
        return kind.apply(clean, *values, streams, **options)
    return truncate(kind.apply(clean.to(streams.dtype).div_(255), *values, streams) * 255)


def levels(images: Tensor) -> Tensor:
    """Levels 0..255 as uint8, from levels or from floats in [0, 1]: the nearest; channel by channel in memory."""
    read = images if images.dtype == torch.uint8 else (images.detach().float() * 255 + 0.5).to(torch.uint8)
    return read.contiguous()


def precision(images: Tensor) -> torch.dtype:
    """The type to compute in: double, but on Apple's GPUs, which have none."""
    return torch.float32 if images.device.type == "mps" else torch.float64


def check_severity(severity: int) -> None:
    """Refuse a severity that is not a whole number from 0 to 6.

    Args:
        severity: 1 is the weakest, 5 the strongest published one, 6 is extrapolated.

    Raises:
        SettingError: it is something else.
    """
    if not is_whole(severity) or not 0 <= severity <= LARGEST:
        raise SettingError(
            f"expected a severity of 1 to 5 (0 changes nothing, {LARGEST} is extrapolated), got {severity!r}"
        )


def check_images(images: Tensor, colour: bool, name: str) -> None:
    """Refuse what is no batch of square 8-bit pictures.

    Args:
        images: the batch.
        colour: three channels are needed.
        name: of the corruption, for the message.

    Raises:
        DataError: another shape, type or range, or no tensor.
    """
    check_tensor(images, "images")
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[1] not in (1, 3):
        raise DataError(
            f"{name}: expected square images (B, C, H, W) with 1 or 3 channels, got {tuple(images.shape)}; crop or "
            "resize them, and give a single one as images[None]"
        )
    if colour and images.shape[1] == 1:
        raise DataError(
            f"{name}: expected images with 3 channels, got 1: this corruption changes colours; repeat the channel "
            "with images.expand(-1, 3, -1, -1), or leave the kind out"
        )
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise DataError(f"{name}: expected uint8 levels or floats in [0, 1], got {images.dtype}; convert by .byte()")
    low, high = images.aminmax() if images.numel() else (torch.zeros(()), torch.ones(()))
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"{name}: expected floats in [0, 1], got {float(low):.3g} to {float(high):.3g}; corrupt before "
            "normalising, and divide levels by 255"
        )


def _indices(index: Sequence[int] | Tensor, count: int) -> list[int]:
    given = index.tolist() if isinstance(index, Tensor) else list(index)
    whole = all(is_whole(one) and 0 <= one < 2**63 for one in given)
    if len(given) != count or not whole:
        raise DataError(
            f"expected {count} indices, whole numbers of 0 or more, one an image, got {len(given)}: "
            f"{', '.join(map(str, given[:3]))}{', ...' if len(given) > 3 else ''}"
        )
    return given
