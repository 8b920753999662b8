"""Adversarial images in 8 bits that are still within eps."""

import torch
from torch import Tensor

from gossamer.attack.ball import lengths, project
from gossamer.attack.checks import check_images
from gossamer.attack.settings import check_eps
from gossamer.core.errors import DataError


def to_eight_bit(adversarial: Tensor, images: Tensor, eps: float, norm: str = "linf") -> Tensor:
    """Adversarial images as grey levels 0..255, within eps of the clean images' levels.

    Rounding alone leaves the ball (in linf if 255·eps is not whole, in l2 mostly), truncating loses a level to
    rounding errors (9.999 -> 9). Here values are rounded to the nearest level; where that leaves the ball of linf, to
    the last level in it; a sample that leaves the ball of l2 is rounded towards its clean image throughout.

    Args:
        adversarial: (B, C, H, W), in [0, 1].
        images: clean, in [0, 1], same shape; the ball is around their nearest levels, which are themselves if they
            were read from 8 bits.
        eps: radius, images in [0, 1].
        norm: ``"linf"`` or ``"l2"``.

    Returns:
        uint8 (B, C, H, W); a model is shown ``levels.float() / 255``.

    Raises:
        DataError: on different shapes.

    Example:
        >>> clean, adversarial = torch.full((1, 1, 1, 1), 100 / 255), torch.full((1, 1, 1, 1), 107.9 / 255)
        >>> to_eight_bit(adversarial, clean, eps=7.9 / 255).item(), round(107.9)
        (107, 108)
    """
    check_eps(eps, norm)
    if adversarial.shape != images.shape:
        raise DataError(
            f"expected adversarial and clean images of one shape, got {tuple(adversarial.shape)} and "
            f"{tuple(images.shape)}; pass the batch that was attacked"
        )
    clean = (check_images(images).double() * 255).round()
    wanted = project(check_images(adversarial).double(), clean / 255, eps, norm) * 255 - clean
    radius = 255 * eps * (1 + 1e-9)  # 255 · (8/255) must count as 8
    if norm == "linf":
        change = wanted.round().clamp(-(radius // 1), radius // 1)
    else:
        nearest = wanted.round()
        change = torch.where(lengths(nearest) <= radius, nearest, wanted.trunc())
    return (clean + change).to(torch.uint8)
