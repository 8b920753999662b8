"""Normalisation as the first layer of a network, so that the network itself takes images in [0, 1]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gossamer.core.errors import SettingError


class Normalize(nn.Module):
    """Subtract the mean of each channel and divide by its standard deviation.

    Both are buffers: saved with the network, moved with it, never trained, never pruned. With it inside, attacks and
    corruptions work on plain [0, 1] images.

    Args:
        mean: one number per channel, in units of the [0, 1] image.
        std: one number per channel, above 0.

    Raises:
        SettingError: mean and std of different lengths, or a std that is not above 0.

    Example:
        >>> Normalize(mean=[0.5], std=[0.25])(torch.ones(1, 1, 1, 1)).item()
        2.0
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std):
            raise SettingError(f"normalize has {len(mean)} means and {len(std)} stds; pass one of each per channel")
        if not all(s > 0 for s in std):
            raise SettingError(f"normalize has std {tuple(std)}; each must be above 0")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> the same shape
        """Normalise a batch of images."""
        return (images - self.mean) / self.std

    def extra_repr(self) -> str:
        """Channel means and stds, for printing."""
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}"
