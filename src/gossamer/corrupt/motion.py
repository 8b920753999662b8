"""Motion blur as ImageMagick makes it: a sum of shifted images with weights of half a Gaussian."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams

BITS = 22  # of the weights: 255 · 2²² is below 2³¹, and sums of whole numbers are exact in any order and on any device

Array = np.ndarray[Any, Any]


def motion_blur(levels: Tensor, radius: int, sigma: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Blur along a line of ``radius`` pixels to one side, at an angle between -45° and 45° of each image's own."""
    return smear(levels, radius, sigma, draw_angles(streams, -45))


def draw_angles(streams: Streams, least: float) -> Array:
    """An angle for each image, in radians, uniform over the 90° from ``least`` degrees."""
    return np.radians(streams.uniform(1)[:, 0].cpu().double().numpy() * 90 + least)


def smear(levels: Tensor, radius: int, sigma: float, angles: Array) -> Tensor:
    """Motion blur of 8-bit images, truncated to 8 bits.

    out(p) = Σᵢ wᵢ · image(p + offset(i)), wᵢ ∝ exp(-i²/2σ²), i = 0 ... 2·radius; offsets are whole pixels along the
    line, and beyond the border lies the border's own value.

    Args:
        levels: uint8 (B, C, n, n).
        radius: half the length of the line.
        sigma: of the weights, in pixels.
        angles: (B,), in radians; 0 looks along rows, towards larger columns.

    Returns:
        uint8 (B, C, n, n).

    Example:
        >>> dot = torch.zeros(1, 1, 3, 3, dtype=torch.uint8)
        >>> dot[..., 1, 2] = 255
        >>> smear(dot, 1, 1.0, np.zeros(1))[0, 0, 1]  # weights 0.57, 0.35, 0.08 to the right; the border goes on
        tensor([ 19, 108, 255], dtype=torch.uint8)
    """
    weights = half_gaussian(radius, sigma)
    order = np.argsort(angles, kind="stable")  # images of one offset lie side by side, so that one sum serves them all
    ranked = torch.from_numpy(order).to(levels.device)
    rows, columns = offsets(angles[order], len(weights))
    wide, top, left = _surround(levels[ranked], rows, columns)
    total = torch.zeros_like(levels, dtype=torch.int32)
    for step, weight in enumerate(weights):
        for first, last, row, column in _runs(rows[step] + top, columns[step] + left):
            begin = first * wide.stride(0) + row * wide.stride(2) + column
            part = wide.as_strided((last - first, *levels.shape[1:]), wide.stride(), begin)  # in one call, not four
            total[first:last].add_(part, alpha=weight)
    result = torch.empty_like(levels)
    result[ranked] = (total >> BITS).to(levels.dtype)
    return result


def half_gaussian(radius: int, sigma: float) -> list[int]:
    """Weights 0 ... 2·radius of half a Gaussian in units of 2⁻²², which sum to 1; those that round to 0 are left out.

    Args:
        radius: of the filter.
        sigma: in pixels.

    Returns:
        Whole numbers; what rounding leaves over goes to the first, the largest.

    Example:
        >>> sum(half_gaussian(6, 1.0)) == 2**22, len(half_gaussian(6, 1.0))
        (True, 6)
    """
    weights = np.exp(-(np.arange(2 * radius + 1.0) ** 2) / (2 * sigma**2))
    parts = [round(one) for one in (weights / weights.sum() * 2**BITS).tolist()]
    parts[0] += 2**BITS - sum(parts)
    return [part for part in parts if part > 0]


def offsets(angles: Array, count: int) -> tuple[Array, Array]:  # (B,) -> (count, B), (count, B)
    """Whole pixels down and to the right after 0, 1, ... steps along the lines: ⌈i·sin - ½⌉, ⌈i·cos - ½⌉.

    Args:
        angles: in radians.
        count: steps.

    Returns:
        Rows and columns.
    """
    steps = np.arange(count)[:, None]
    rows = np.ceil(steps * np.sin(angles) - 0.5).astype(int)
    return rows, np.ceil(steps * np.cos(angles) - 0.5).astype(int)


def _surround(levels: Tensor, rows: Array, columns: Array) -> tuple[Tensor, int, int]:
    """The images in int32 with their border repeated as far as the offsets go, and how far up and left that is."""
    top, bottom = max(0, -int(rows.min())), max(0, int(rows.max()))
    left, right = max(0, -int(columns.min())), max(0, int(columns.max()))
    wide = pad(levels.float(), (left, right, top, bottom), mode="replicate")  # not made for whole numbers
    return wide.int(), top, left


def _runs(rows: Array, columns: Array) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of images with the same offset: first, last, row, column."""
    cuts = np.flatnonzero((np.diff(rows) != 0) | (np.diff(columns) != 0)) + 1
    ends = [0, *cuts.tolist(), len(rows)]
    for first, last in pairwise(ends):
        yield first, last, int(rows[first]), int(columns[first])


MOTION_BLUR = Corruption(
    motion_blur,
    by_family(
        cifar=((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
        tiny=((10, 1.0), (10, 1.5), (10, 2.0), (10, 2.5), (12, 3.0)),
        imagenet=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
    ),
    "blur",
    levels=True,
)
