"""The real Fourier basis of images, and which of its frequencies a map has."""

import math

import torch
from torch import Tensor

from gossamer.analyze.frequency.fourier import frequencies
from gossamer.core.errors import SettingError
from gossamer.core.schedule import is_whole

Frequency = tuple[int, int]  # vertical and horizontal, in cycles per image


def fourier_basis(height: int, width: int, wanted: list[Frequency]) -> Tensor:
    """Real images of a single frequency each, of l2 norm 1.

    Their Fourier transform is zero but at (u, v) and at its mirror image (-u, -v). That leaves the phase open; it is
    that of the authors' released code, 45°: (cos θ - sin θ) / √(HW), with θ = 2π(uy/H + vx/W).

    Args:
        height: of the images, H.
        width: of the images, W.
        wanted: F pairs of vertical and horizontal frequency in cycles per image.

    Returns:
        float64 (F, H, W).

    Example:
        >>> fourier_basis(2, 2, [(0, 0), (0, -1)])
        tensor([[[ 0.5000,  0.5000],
                 [ 0.5000,  0.5000]],
        <BLANKLINE>
                [[ 0.5000, -0.5000],
                 [ 0.5000, -0.5000]]], dtype=torch.float64)
    """
    pairs = torch.tensor(wanted, dtype=torch.int64)
    down = pairs[:, 0, None, None] * torch.arange(height)[:, None] % height  # whole numbers, so that θ has no rounding
    across = pairs[:, 1, None, None] * torch.arange(width) % width
    angle = 2 * math.pi * (down.double() / height + across.double() / width)
    return (angle.cos() - angle.sin()) / math.sqrt(height * width)


def half_plane(height: int, width: int, size: int | None = None) -> tuple[list[Frequency], Tensor]:
    """The frequencies of a centred map without mirror images, and where each stands in the map.

    Args:
        height: of the images, H.
        width: of the images, W.
        size: side of the map; None for the whole plane.

    Returns:
        F pairs, of two mirror images the smaller one; and (h, w) positions in the list.

    Raises:
        SettingError: a size below 1 or beyond the images.

    Example:
        >>> half_plane(3, 1)
        ([(-1, 0), (0, 0)], tensor([[0],
                [1],
                [0]]))
    """
    if size is not None and not (is_whole(size) and 1 <= size <= min(height, width)):
        raise SettingError(
            f"expected a size of the map from 1 to {min(height, width)}, the smaller side of the images, got {size!r}; "
            "None maps all frequencies"
        )
    down, across = (frequencies(side if size is None else size).tolist() for side in (height, width))
    cells = [[min((u, v), _mirrored(u, v, height, width)) for v in across] for u in down]
    wanted = sorted({frequency for row in cells for frequency in row})
    position = {frequency: index for index, frequency in enumerate(wanted)}
    return wanted, torch.tensor([[position[frequency] for frequency in row] for row in cells])


def _mirrored(vertical: int, horizontal: int, height: int, width: int) -> Frequency:
    """(-u, -v) as it is written in the centred plane, where -H/2 stands for H/2 too."""
    return _centred(-vertical, height), _centred(-horizontal, width)


def _centred(frequency: int, side: int) -> int:
    return (frequency + side // 2) % side - side // 2
