"""Frosted glass: pixels of a blurred image take the place of neighbours."""

import torch
from torch import Tensor

from gossamer.corrupt.families import by_family
from gossamer.corrupt.filters import gaussian, truncate
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams


def glass_blur(levels: Tensor, sigma: float, reach: int, passes: int, streams: Streams) -> Tensor:
    """Blur, copy from pixels up to ``reach`` away in ``passes`` passes, blur again.

    The authors' "swap" of two pixels, on views of one array, copies one onto both; so does this. Every pixel is
    therefore one of the input's, and all passes together are one map from pixels to pixels.

    Args:
        levels: uint8 (B, C, n, n).
        sigma: of the Gaussian blur, in pixels.
        reach: r, at least 1; columns and rows of the copied pixel are -r to r - 1 away.
        passes: over the image.
        streams: choose the pixels.

    Returns:
        The same shape.
    """
    size = levels.shape[-1]
    inner = size - 2 * reach
    sources = torch.arange(size * size, device=levels.device).expand(len(levels), -1)
    for drawn in streams.bits(passes, inner, inner).unbind(1):
        sources = sources.gather(1, origins(partners(drawn, size, reach)))
    blurred = truncate(gaussian(levels.to(streams.dtype), sigma))
    moved = blurred.flatten(2).gather(2, sources[:, None].expand(-1, levels.shape[1], -1))
    return truncate(gaussian(moved.view_as(levels).to(streams.dtype), sigma))


def partners(drawn: Tensor, size: int, reach: int) -> Tensor:  # (B, n - 2r, n - 2r) -> (B, n²)
    """Whom each pixel copies: one -r to r - 1 columns and rows away.

    Args:
        drawn: int32, uniform in 0 ... 2³¹ - 1; the lower 16 bits choose the column, the upper 15 the row.
        size: n, pixels of a side.
        reach: r.

    Returns:
        Numbers of pixels, row by row; the first r + 1 rows and columns and the last r - 1 copy themselves.

    Example:
        >>> partners(torch.tensor([[[0, 2**30], [2**15, 2**30 + 2**15]]], dtype=torch.int32), 4, 1).view(4, 4)
        tensor([[ 0,  1,  2,  3],
                [ 4,  5,  6,  7],
                [ 8,  9,  5, 10],
                [12, 13, 10, 15]])
    """
    column = (drawn & 0xFFFF) * (2 * reach) >> 16
    row = (drawn >> 16) * (2 * reach) >> 15
    own = torch.arange(size * size, device=drawn.device).view(size, size)
    chosen = own.repeat(len(drawn), 1, 1)
    inside = slice(reach + 1, size - reach + 1)
    chosen[:, inside, inside] += (row - reach) * size + (column - reach)
    return chosen.flatten(1)


def origins(partner: Tensor) -> Tensor:  # (B, n²) -> (B, n²)
    """Where the pixels come from after one pass in place from the last pixel to the first.

    A partner behind the pixel has had its turn and holds what it copied, so it is followed to its own partner, and so
    on; one before the pixel still holds its own value. Chains halve in every round.

    Args:
        partner: whom each pixel copies, numbered row by row.

    Returns:
        The pixel of the image before the pass that each one holds after it.

    Example:
        >>> origins(torch.tensor([[0, 2, 3, 0]]))  # 3 copies 0, then 2 copies 3, then 1 copies 2
        tensor([[0, 0, 0, 0]])
    """
    own = torch.arange(partner.shape[1], device=partner.device)
    if bool((partner <= own).all()):  # so it is for offsets of -1 and 0
        return partner
    link = torch.maximum(partner, own)
    while not torch.equal(further := link.gather(1, link), link):
        link = further
    return partner.gather(1, link)


GLASS_BLUR = Corruption(
    glass_blur,
    by_family(
        cifar=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        tiny=((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        imagenet=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "blur",
    levels=True,
)
