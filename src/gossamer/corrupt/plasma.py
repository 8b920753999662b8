"""Plasma: fractal clouds by the diamond-square algorithm (Fournier, Fussell & Carpenter 1982) on a torus."""

import torch
from torch import Tensor


def side_of(size: int) -> int:
    """The side of a plasma that covers an image: 32, 64 and 256 pixels in the published scripts.

    Args:
        size: pixels of the image's side.

    Returns:
        The next power of two, at least 2.

    Example:
        >>> side_of(28), side_of(32), side_of(224)
        (32, 32, 256)
    """
    return max(2, 1 << (size - 1).bit_length())


def plasma(noise: Tensor, decay: float, wobble: float = 100.0) -> Tensor:  # (B, m² - 1) -> (B, m, m)
    """Clouds from 0 to 1: every scale halves the grid and adds noise to the mean of four neighbours.

    Args:
        noise: uniform in [0, 1), coarse scales first; m is a power of two.
        decay: by which the wobble falls from scale to scale; larger is smoother.
        wobble: w of the first scale; the noise is uniform in ±w², as the published scripts scale it twice.

    Returns:
        (B, m, m), each from 0 to 1 exactly.

    Example:
        >>> plasma(torch.tensor([[0.5, 0.75, 0.25]]), decay=2.0)
        tensor([[[0.5000, 1.0000],
                 [0.0000, 0.5000]]])
    """
    grid = noise.new_zeros(len(noise), 1, 1)
    spread = 2 * noise - 1
    used = 0
    while used < noise.shape[1]:
        count = grid[0].numel()
        parts = spread[:, used : used + 3 * count] * wobble**2
        grid = _finer(grid, parts.view(-1, 3, *grid.shape[1:]))
        used, wobble = used + 3 * count, wobble / decay
    low = grid - grid.amin((1, 2), keepdim=True)
    return low / low.amax((1, 2), keepdim=True)


def _finer(grid: Tensor, noise: Tensor) -> Tensor:  # (B, k, k), (B, 3, k, k) -> (B, 2k, 2k)
    """Middles of the squares, then of the upper and left edges between them."""
    below, right = grid.roll(-1, 1), grid.roll(-1, 2)
    square = (grid + below + right + below.roll(-1, 2)) / 4 + noise[:, 0]
    upper = (square + square.roll(1, 1) + grid + right) / 4 + noise[:, 1]
    left = (square + square.roll(1, 2) + grid + below) / 4 + noise[:, 2]
    rows = torch.stack((torch.stack((grid, upper), 3), torch.stack((left, square), 3)), 2)
    return rows.view(len(grid), 2 * grid.shape[1], -1)
