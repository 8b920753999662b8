"""Pixelate: shrink by averaging boxes, enlarge by repeating, in the whole numbers of Pillow's resize."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams

BITS = 22  # of a weight after the point: Pillow's 32 - 8 - 2


@dataclass(frozen=True)
class Boxes:
    """How n pixels of a line become m, and the m become n again.

    Args:
        members: (n, m), one where a pixel lies in a box.
        weight: (m,), 2²² divided by the pixels of the box, rounded.
        back: (m, n), one where an enlarged pixel takes its value.
    """

    members: Tensor
    weight: Tensor
    back: Tensor


def pixelate(levels: Tensor, scale: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Shrink to a share of the side and back, as Pillow's ``resize(..., BOX)`` does: rows first, rounded to levels."""
    size = levels.shape[-1]
    boxes = _boxes(size, max(1, int(size * scale)), levels.device)
    narrow = _average(levels.to(torch.float32) @ boxes.members, boxes.weight)
    small = _average(boxes.members.T @ narrow, boxes.weight[:, None])
    return (boxes.back.T @ (small @ boxes.back)).to(torch.uint8)


def _average(total: Tensor, weight: Tensor) -> Tensor:
    """Whole numbers below 2²⁴, which single precision holds: sums of levels, averaged and rounded."""
    return (total.to(torch.int32) * weight + (1 << BITS - 1) >> BITS).to(torch.float32)


@lru_cache(maxsize=64)
def _boxes(size: int, small: int, device: torch.device) -> Boxes:
    scale = size / small
    inside = torch.zeros(size, small)
    for box in range(small):
        centre = (box + 0.5) * scale
        first, last = max(0, int(centre - scale / 2 + 0.5)), min(size, int(centre + scale / 2 + 0.5))
        offset = (torch.arange(first, last, dtype=torch.float64) - centre + 0.5) / scale
        inside[first:last, box] = ((offset > -0.5) & (offset <= 0.5)).float()
    taken = ((torch.arange(size) + 0.5) * (small / size)).to(torch.int64)
    back = torch.zeros(small, size).scatter_(0, taken[None], 1.0)
    weight = ((1 << BITS) / inside.sum(dim=0) + 0.5).to(torch.int32)
    return Boxes(inside.to(device), weight.to(device), back.to(device))


PIXELATE = Corruption(
    pixelate,
    by_family(cifar=(0.95, 0.9, 0.85, 0.75, 0.65), tiny=(0.9, 0.8, 0.7, 0.6, 0.5), imagenet=(0.6, 0.5, 0.4, 0.3, 0.25)),
    "digital",
    random=False,
    levels=True,
)
