"""Weather: snow, frost and fog."""

from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import threshold as cut

from gossamer.corrupt.families import by_family
from gossamer.corrupt.filters import separable, truncate, zoom_matrix
from gossamer.corrupt.frost import FROST
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.motion import draw_angles, smear
from gossamer.corrupt.plasma import plasma, side_of
from gossamer.corrupt.streams import Streams

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
MARGIN = 2**-10  # of a level; added to what single precision may leave 2⁻¹³ below a whole level, before truncation


def luma(levels: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, H, W)
    """Brightness of colour images; grey ones as they are."""
    if levels.shape[1] == 1:
        return levels
    red, green, blue = LUMA
    return red * levels[:, :1] + green * levels[:, 1:2] + blue * levels[:, 2:]


def snow(
    levels: Tensor,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    mix: float,
    streams: Streams,
) -> Tensor:  # uint8 (B, C, n, n) -> same
    """Whiten the image and add flakes: normal noise, zoomed and cut at a threshold, falling at -135° to -45°.

    The flakes are added as they are and turned by 180°. The image is ``mix`` parts itself, and otherwise the brighter
    of itself and of 1.5 times its luma plus ½. Each value is made by itself of few sums, so single precision gives
    the same picture in every batch.

    Args:
        levels: uint8 (B, C, n, n).
        mean: of the noise.
        std: of the noise.
        zoom: of the noise.
        threshold: below which noise is no flake.
        radius: of the motion blur, in pixels.
        sigma: of the motion blur, in pixels.
        mix: how much of the image is not whitened.
        streams: of noise and angles.

    Returns:
        The same shape.
    """
    angles = draw_angles(streams, -135)
    layer = smear(flakes(levels.shape[-1], mean, std, zoom, threshold, streams), radius, sigma, angles).float()
    clean = levels.float()
    bright = luma(clean).mul(1.5).add_(127.5)
    mixed = (mix * clean).add_((1 - mix) * bright + MARGIN)
    whitened = torch.maximum(mixed, clean, out=mixed)
    return whitened.add_(layer + layer.flip(2, 3)).clamp_(max=255).to(torch.uint8)


def flakes(size: int, mean: float, std: float, zoom: float, threshold: float, streams: Streams) -> Tensor:
    """Flakes before they fall, as 8-bit images.

    Args:
        size: pixels of a side.
        mean: of the noise.
        std: of the noise.
        zoom: enlarges the middle of the noise; only what will be seen is drawn.
        threshold: noise below it is 0.
        streams: of random numbers.

    Returns:
        uint8 (B, 1, size, size).
    """
    kept = ceil(size / zoom)
    first = (size - kept) // 2
    noise = streams.normal(1, kept, kept).mul_(std).add_(mean)
    if zoom > 1:
        matrix = zoom_matrix(size, zoom)[:, first : first + kept]
        noise = separable(noise, matrix, matrix)
    return truncate(cut(noise, threshold, 0.0) * 255)


def fog(levels: Tensor, weight: float, decay: float, streams: Streams) -> Tensor:  # uint8 (B, C, n, n) -> same
    """Add ``weight`` times a plasma, then scale the image so that its brightest value could stay what it was."""
    size = levels.shape[-1]
    side = side_of(size)
    noise = streams.uniform(side * side - 1).float()  # few sums a value: single precision is off by 10⁻⁴ of a level
    clouds = plasma(noise, decay)[:, None, :size, :size].to(streams.dtype)
    brightest = levels.amax((1, 2, 3), keepdim=True).to(clouds.dtype)
    return truncate((levels + 255 * weight * clouds).mul_(brightest / (brightest + 255 * weight)))


SNOW = Corruption(
    snow,
    by_family(
        cifar=(
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
        ),
        tiny=(
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.8),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.6),
        ),
        imagenet=(
            (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
            (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
            (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
        ),
    ),
    "weather",
    levels=True,
    bounds=((None, None), (None, None), (1.0, None), (None, None), (None, None), (None, None), (None, None)),
)
FOG = Corruption(
    fog,
    by_family(
        cifar=((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
        tiny=((0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)),
        imagenet=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    ),
    "weather",
    levels=True,
)
WEATHER = {"snow": SNOW, "frost": FROST, "fog": FOG}
