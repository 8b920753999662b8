"""Frost: an image under a picture of ice, photographed where the photographs are found, else made of numbers."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import DataError, MissingError
from gossamer.corrupt.families import by_family
from gossamer.corrupt.ice import pictures
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams

Array = np.ndarray[Any, Any]
PHOTOGRAPHS = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")  # a sixth exists, never drawn
PROCEDURAL = "procedural"
MARGIN = 2**-10  # of a level; added to what single precision may leave 2⁻¹⁵ below a whole level, before truncation


def frost(
    levels: Tensor, weight: float, share: float, scale: float, streams: Streams, *, source: str | Path | None = None
) -> Tensor:  # uint8 (B, C, n, n) -> same
    """``weight`` parts of the image and ``share`` parts of a random piece of one of five pictures of ice, at ``scale``.

    Each value is one sum by itself, so single precision gives the same picture in every batch.

    Args:
        levels: the images.
        weight: of the image.
        share: weight of the ice.
        scale: of the pictures of ice.
        streams: choose picture and place.
        source: of the pictures; the ``frost`` of ``corrupt``.

    Returns:
        Levels.
    """
    size = levels.shape[-1]
    ices = textures(folder_of(source), scale, size + 1, levels.shape[1])
    draws = streams.uniform(3).double().tolist()
    crops = torch.from_numpy(np.stack([_crop(ices, size, *draw) for draw in draws])).to(levels.device)
    under = crops.float().mul_(share).add_(MARGIN)
    return (weight * levels.float()).add_(under).clamp_(max=255).to(torch.uint8)


def _crop(ices: tuple[Array, ...], size: int, which: float, down: float, right: float) -> Array:
    ice = ices[int(which * len(ices))]
    top, left = int(down * (ice.shape[1] - size)), int(right * (ice.shape[2] - size))
    return ice[:, top : top + size, left : left + size]


def frost_source(frost: str | Path | None = None) -> str:
    """Which pictures of ice the corruption ``frost`` would use.

    Args:
        frost: as given to ``corrupt``: None for the photographs where the package ``imagecorruptions`` is installed
            and else made ones; ``"procedural"`` for made ones; or a folder that holds the photographs.

    Returns:
        ``"photographs (imagecorruptions)"``, ``"photographs (FOLDER)"`` or ``"procedural"``.

    Raises:
        MissingError: photographs are not in the folder.

    Example:
        >>> frost_source("procedural")
        'procedural'
    """
    folder = folder_of(frost)
    if folder is None:
        return PROCEDURAL
    return f"photographs ({'imagecorruptions' if frost is None else folder})"


def folder_of(frost: str | Path | None) -> Path | None:
    """The folder of the photographs, or None for made pictures.

    Args:
        frost: as in ``frost_source``.

    Returns:
        A folder that holds all of them.

    Raises:
        MissingError: the given folder does not.
    """
    if frost is None:
        return installed()
    if frost == PROCEDURAL:
        return None
    folder = Path(frost)
    absent = [name for name in PHOTOGRAPHS if not (folder / name).is_file()]
    if absent:
        raise MissingError(
            f"expected the photographs of frost {', '.join(PHOTOGRAPHS)} in {folder}, but {', '.join(absent)} "
            "cannot be found; get them by 'pip install --no-deps imagecorruptions-imaug' and leave frost out, or "
            "use frost='procedural'"
        )
    return folder


def installed() -> Path | None:
    """The folder of the photographs inside of the installed package ``imagecorruptions``, which is not imported.

    Returns:
        None where it is not installed or holds no photographs.
    """
    found = find_spec("imagecorruptions")
    places = found.submodule_search_locations if found else None
    folders = [Path(place) / "frost" for place in places or ()]
    return next((one for one in folders if all((one / name).is_file() for name in PHOTOGRAPHS)), None)


@lru_cache(maxsize=4)  # at most 4 MB each
def textures(folder: Path | None, scale: float, least: int, channels: int) -> tuple[Array, ...]:
    """The five pictures of ice at a scale.

    Args:
        folder: of the photographs; None for made ones.
        scale: of the published script; larger where a picture would be smaller than ``least``.
        least: pixels of the smaller side.
        channels: 3, or 1 for the pictures' luma.

    Returns:
        uint8 (channels, height, width) each.
    """
    ices = pictures() if folder is None else tuple(_photograph(folder / name) for name in PHOTOGRAPHS)
    return tuple(_in_channels(resized(ice, max(scale, least / min(ice.shape[1:]))), channels) for ice in ices)


def _photograph(path: Path) -> Array:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1)  # what lies under a transparent pixel counts
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(
            f"expected a photograph in {path}, got {error}; install imagecorruptions-imaug again"
        ) from error


def _in_channels(ice: Array, channels: int) -> Array:
    if channels == 3:
        return ice
    return np.tensordot((0.299, 0.587, 0.114), ice, 1).round().astype(np.uint8)[None]  # luma of ITU-R BT.601


def resized(ice: Array, scale: float) -> Array:  # uint8 (C, H, W) -> uint8 (C, round(scale·H), round(scale·W))
    """Bilinear interpolation between pixel centres without smoothing, as OpenCV's INTER_LINEAR.

    Args:
        ice: the picture.
        scale: below 1 smaller.

    Returns:
        The nearest levels.

    Example:
        >>> resized(np.array([[[0, 100, 200, 250]]], np.uint8).repeat(4, 1), 0.5)[0, 0]
        array([ 50, 225], dtype=uint8)
    """
    rows, columns = (_between(size, scale) for size in ice.shape[1:])
    levels: Array = (rows @ ice @ columns.T + 0.5).astype(np.uint8)
    return levels


def _between(size: int, scale: float) -> Array:
    """(round(scale·size), size): each row holds the weights of the one or two nearest pixels."""
    places = ((np.arange(round(size * scale)) + 0.5) / scale - 0.5).clip(0, size - 1)
    return np.maximum(0, 1 - abs(places[:, None] - np.arange(size)))


FROST = Corruption(
    frost,
    by_family(
        cifar=((1.0, 0.2, 0.2), (1.0, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
        tiny=((1.0, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
        imagenet=((1.0, 0.4, 1.0), (0.8, 0.6, 1.0), (0.7, 0.7, 1.0), (0.65, 0.7, 1.0), (0.6, 0.75, 1.0)),
    ),
    "weather",
    levels=True,
)
