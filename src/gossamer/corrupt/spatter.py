"""Spatter: drops of water or splashes of mud on the lens."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from gossamer.corrupt.contours import UNIT, box, canny, distance, equalize
from gossamer.corrupt.families import by_family
from gossamer.corrupt.filters import gaussian
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams

WATER = (175 / 255, 238 / 255, 238 / 255)  # pale turquoise
MUD = (63 / 255, 42 / 255, 20 / 255)
DEEPEST = 20  # pixels from an edge
OPAQUE = 0.8  # mud thinner than this is left out
EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))


def spatter(
    images: Tensor,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: int,
    streams: Streams,
) -> Tensor:  # (B, 3, H, W) -> same
    """Add drops where normal noise, smoothed by a Gaussian of ``sigma`` pixels, exceeds a threshold."""
    noise = mean + std * streams.normal(*images.shape[2:])
    liquid = gaussian(noise, sigma)
    if mud:  # covers, softened by ``strength`` pixels; water is added, ``strength`` of it where it is thickest
        cover = gaussian((liquid > threshold).to(images.dtype), strength)[:, None]
        return images + (cover >= OPAQUE) * cover * (_colour(MUD, images) - images)
    thick = _thickness(torch.where(liquid < threshold, 0.0, liquid))[:, None]
    return images + strength * thick * _colour(WATER, images)


def _colour(colour: tuple[float, float, float], images: Tensor) -> Tensor:  # -> (3, 1, 1)
    return torch.tensor(colour, dtype=images.dtype, device=images.device)[:, None, None]


def _thickness(liquid: Tensor) -> Tensor:  # (B, H, W) -> (B, H, W)
    """Of water, 0 to 1: the drops times a relief of the distances to their edges."""
    levels = ((liquid * 255).to(torch.int32) & 255).to(torch.float32)  # a conversion to 8 bits drops what is above
    away = box(distance(canny(levels, 50, 150), DEEPEST)) / (9 * UNIT)
    relief = _emboss(equalize(away.floor(), DEEPEST + 1)).clamp(0, 255)
    drops = levels * (box(relief) / 9).round()
    return (drops / drops.amax(dim=(1, 2), keepdim=True).clamp(min=1)).to(liquid.dtype)  # none at all: no division by 0


def _emboss(pictures: Tensor) -> Tensor:
    wide = pad(pictures[:, None], (1, 1, 1, 1), mode="reflect")[:, 0]
    height, width = pictures.shape[1:]
    parts = [
        weight * wide[:, y : y + height, x : x + width]
        for y, row in enumerate(EMBOSS)
        for x, weight in enumerate(row)
        if weight
    ]
    return torch.stack(parts).sum(dim=0)


SPATTER = Corruption(
    spatter,
    by_family(
        cifar=(
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1.0, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
        tiny=(
            (0.62, 0.1, 0.7, 0.7, 0.6, 0),
            (0.65, 0.1, 0.8, 0.7, 0.6, 0),
            (0.65, 0.3, 1.0, 0.69, 0.6, 0),
            (0.65, 0.1, 0.7, 0.68, 0.6, 1),
            (0.65, 0.1, 0.5, 0.67, 0.6, 1),
        ),
        imagenet=(
            (0.65, 0.3, 4.0, 0.69, 0.6, 0),
            (0.65, 0.3, 3.0, 0.68, 0.6, 0),
            (0.65, 0.3, 2.0, 0.68, 0.5, 0),
            (0.65, 0.3, 1.0, 0.65, 1.5, 1),
            (0.67, 0.4, 1.0, 0.65, 1.5, 1),
        ),
    ),
    "extra",
    colour=True,
)
