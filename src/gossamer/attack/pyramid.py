"""The shape of the Square attack's squares in l2."""

import torch
from torch import Tensor


def pyramid(height: int, width: int) -> Tensor:
    """Rings around the middle (Andriushchenko et al. 2020, arXiv:1912.00049, section 4.2).

    The ring at distance d has the value Σ_{k=0}^{n-d} 1 / (n + 1 - k)²; n is half of the longer side, rounded down,
    and d the larger of the distances in rows and in columns.

    Example:
        >>> pyramid(3, 3) * 36
        tensor([[ 9.,  9.,  9.],
                [ 9., 45.,  9.],
                [ 9.,  9.,  9.]], dtype=torch.float64)

    Returns:
        float64 (height, width).
    """
    longest = max(height, width) // 2
    rings = torch.arange(longest + 1, 0, -1, dtype=torch.float64).square().reciprocal().cumsum(0).flip(0)
    rows = (torch.arange(height) - height // 2).abs().view(-1, 1)
    columns = (torch.arange(width) - width // 2).abs().view(1, -1)
    return rings[torch.maximum(rows, columns)]


def hill_and_valley(side: int) -> Tensor:
    """The square of l2: a pyramid in the upper half and one with the other sign in the lower, of length 1.

    Returns:
        float64 (side, side).
    """
    square = torch.cat([pyramid(side // 2, side), -pyramid(side - side // 2, side)])
    return square / square.square().sum().sqrt()
