"""Elastic transform: an affine jitter, then a smooth random field of shifts."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from gossamer.corrupt.families import by_family
from gossamer.corrupt.filters import gaussian
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams


def elastic_transform(
    images: Tensor, strength: float, sigma: float, jitter: float, streams: Streams
) -> Tensor:  # (B, C, H, W) -> same
    """Move three points by up to ``jitter`` pixels, then all along a smooth random field (Simard et al. 2003)."""
    size = images.shape[-1]
    shifts = streams.uniform(3, 2).mul_(2).sub_(1).mul_(jitter)
    moved = _sample(images, affine(size, shifts), aligned=True)
    if not strength:
        return moved
    # uniform numbers, smoothed by sigma pixels; this step mirrors at the outer edges, the first at the pixels' centres
    field = gaussian(streams.uniform(2, size, size).mul_(2).sub_(1), sigma, "reflect", 3.0)
    return _sample(moved, field.mul_(strength).add_(_grid(size, images)), aligned=False)


def affine(size: int, shifts: Tensor) -> Tensor:  # (B, 3, 2) -> (B, 2, n, n)
    """Where each pixel of an affinely moved image comes from.

    The motion takes three corners of a square to their shifted places; its sides are 2⌊n / 3⌋, its middle is n / 2.

    Args:
        size: n pixels of a side.
        shifts: x and y in pixels, of the corners (+, +), (+, -) and (-, -).

    Returns:
        x and y in pixels.

    Example:
        >>> affine(3, torch.full((1, 3, 2), 1.0))[0, :, 0, 0]  # what lands on the first pixel was above and left
        tensor([-1., -1.])
    """
    middle, half = size // 2, size // 3
    by_x = (shifts[:, 1] - shifts[:, 2]) / (2 * half)  # change of the shift a pixel to the right
    by_y = (shifts[:, 0] - shifts[:, 1]) / (2 * half)
    forward = torch.stack([by_x, by_y], dim=2) + torch.eye(2).to(shifts)
    corner = shifts.new_full((2, 1), middle + half)
    landed = corner + shifts[:, 0, :, None]
    target = _grid(size, shifts).flatten(1)
    return (_inverse(forward) @ (target - landed) + corner).view(-1, 2, size, size)


def _inverse(matrix: Tensor) -> Tensor:  # (B, 2, 2) -> (B, 2, 2)
    (a, b), (c, d) = matrix.permute(1, 2, 0)
    determinant = (a * d - b * c)[:, None, None]
    return torch.stack([d, -b, -c, a], dim=1).view(-1, 2, 2).div_(determinant)


def _grid(size: int, like: Tensor) -> Tensor:  # -> (2, n, n)
    """X and y of every pixel."""
    place = torch.arange(size, dtype=like.dtype, device=like.device)
    return torch.stack([place.expand(size, size), place[:, None].expand(size, size)])


def _sample(images: Tensor, places: Tensor, *, aligned: bool) -> Tensor:  # (B, C, n, n), (B, 2, n, n) -> (B, C, n, n)
    """The images' values at x and y in pixels; mirrored at the outermost pixels (aligned) or at their outer edges."""
    size = images.shape[-1]
    # from -1 to 1 between the outermost pixels' centres, or between their outer edges
    scaled = (places * (2 / (size - 1))).sub_(1) if aligned else (places * (2 / size)).add_(1 / size - 1)
    return grid_sample(images, scaled.permute(0, 2, 3, 1), "bilinear", "reflection", align_corners=aligned)


ELASTIC = Corruption(
    elastic_transform,
    by_family(
        cifar=((0.0, 0.0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)),
        tiny=((0.0, 0.0, 5.12), (3.2, 19.2, 3.84), (6.4, 5.12, 3.84), (6.4, 1.92, 1.92), (10.24, 1.92, 1.28)),
        imagenet=(
            (488.0, 170.8, 24.4),  # 244 pixels in the published script, a typing error kept as it is
            (488.0, 19.52, 48.8),
            (12.2, 2.44, 4.88),
            (17.08, 2.44, 4.88),
            (29.28, 2.44, 4.88),
        ),
    ),
    "digital",
)
