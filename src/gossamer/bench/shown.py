"""Images and numbers as sheets show them."""

from math import floor, isinf, log10
from typing import Any

import torch
from torch import Tensor

NAMES = {"el2n": "EL2N", "grand": "GraNd", "last_layer_grand": "last-layer GraNd", "aum": "AUM"}


def name_of(score: str) -> str:
    """A difficulty score as its paper writes it."""
    return NAMES.get(score, score.replace("_", " "))


def short(score: float) -> str:
    """A score under an image: two digits that tell, never an exponent.

    Args:
        score: any number.

    Returns:
        At most a few letters.

    Example:
        >>> [short(each) for each in (0.00002, 0.0123, 1.414, 12.5, 0.0, -310.0, float("inf"))]
        ['<0.001', '0.012', '1.4', '12', '0', '-310', '∞']
    """
    if isinf(score):
        return "∞"
    if 0 < abs(score) < 0.001:
        return "<0.001" if score > 0 else ">-0.001"
    return f"{score:.{max(0, 1 - floor(log10(abs(score))))}f}" if score else "0"


def first_of_each(labels: Tensor, most: int) -> list[int]:
    """The first image of each class, at most so many."""
    found = {int(label): index for index, label in reversed(list(enumerate(labels.tolist())))}
    return [found[label] for label in sorted(found)][:most]


def picture(image: Tensor) -> Any:
    """An image (C, H, W) as a figure takes it: (H, W) or (H, W, 3), whole levels."""
    levels = image.detach().cpu().round().clamp(0, 255).to(torch.uint8)
    return (levels[0] if len(levels) == 1 else levels.permute(1, 2, 0)).numpy()
