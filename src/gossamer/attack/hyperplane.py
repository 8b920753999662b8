"""The image that is nearest to another one among those on a hyperplane, exactly."""

import torch
from torch import Tensor


def nearest_on_hyperplane(points: Tensor, normals: Tensor, heights: Tensor, norm: str) -> Tensor:
    """Project onto {z : height + <w, z - x> = 0} ∩ [0, 1]^d (arXiv:1907.02044, section 2.2), each row by itself.

    The nearest z moves every coordinate against the sign of height·w, by min(λ u, room): u = 1 in linf, u = |w| in
    l2, and room is the way to the face of the box. What this gains, Σ |w| min(λ u, room), is concave and piecewise
    linear in λ, so Newton's method from λ = 0 rises to the solution and ends on its very piece: exact, without a sort.
    Where the hyperplane misses the box, the corner of the box that comes nearest to it is returned.

    Args:
        points: x in [0, 1], (B, d).
        normals: w, (B, d).
        heights: the value of the linear function at the points, (B,).
        norm: ``"linf"`` or ``"l2"``.

    Returns:
        z in [0, 1], (B, d).

    Example:
        >>> nearest_on_hyperplane(torch.tensor([[0.5, 0.1]]), torch.ones(1, 2), torch.tensor([0.4]), "linf")
        tensor([[0.2000, 0.0000]])
    """
    direction = -normals.sign() * heights.sign().unsqueeze(1)
    room = torch.where(direction > 0, 1 - points, points)
    slopes = normals.abs()
    speeds = torch.ones_like(slopes) if norm == "linf" else slopes
    length = _length(slopes, speeds, room, heights.abs())
    return (points + direction * torch.minimum(length * speeds, room)).clamp_(0, 1)


def _length(slopes: Tensor, speeds: Tensor, room: Tensor, wanted: Tensor) -> Tensor:
    """λ, (B, 1), at which Σ slopes · min(λ speeds, room) is what is wanted; the largest float where it never is."""
    endless = torch.finfo(slopes.dtype).max  # not inf, whose product with a speed of 0 is nan
    moving = slopes > 0
    while True:
        gained = (slopes * room).masked_fill(moving, 0).sum(1)
        rate = (slopes * speeds * moving).sum(1)
        length = torch.where(rate > 0, (wanted - gained) / rate, endless).clamp_max(endless).unsqueeze(1)
        still = moving & (length * speeds < room)  # what has stopped stays so: it ends, whatever the rounding
        if torch.equal(still, moving):
            return length
        moving = still
