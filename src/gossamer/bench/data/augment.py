"""Batch-level augmentation: one draw per image, from a generator of its own, all images at once.

Images are float in [0, 1], before normalisation: what moves in from outside is 0, black, as in the papers' pipelines.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional

from gossamer.core.errors import DataError, SettingError


class Step(Protocol):
    """One augmentation: a batch in, a batch of the same shape out."""

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Augment (B, C, H, W)."""


@dataclass(frozen=True)
class Crop:
    """Shift each image by up to `padding` pixels each way: pad with zeros, cut out at a random place.

    Attributes:
        padding: pixels. Default 4: 32-pixel CIFAR images in He et al. 2016 (arXiv:1512.03385, section 4.2).

    Raises:
        SettingError: if the padding is negative.
    """

    padding: int = 4

    def __post_init__(self) -> None:
        """Check the setting."""
        if self.padding < 0:
            raise SettingError(f"crop: expected a padding of 0 or more pixels, got {self.padding}")

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Cut each image out of its padded self."""
        batch, _, height, width = images.shape
        corner = torch.randint(2 * self.padding + 1, (2, batch), generator=generator, device=generator.device)
        top, left = corner.to(images.device)
        windows = functional.pad(images, [self.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)  # a view
        return windows[torch.arange(batch, device=images.device), :, top, left]


@dataclass(frozen=True)
class Flip:
    """Mirror each image left to right with probability 1/2."""

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Mirror about half of the images."""
        draws = torch.rand(len(images), generator=generator, device=generator.device)
        return torch.where((draws < 0.5).to(images.device).view(-1, 1, 1, 1), images.flip(3), images)


@dataclass(frozen=True)
class Rotate:
    """Turn each image about its centre by an angle uniform in ±`degrees`: bilinear, zeros from outside.

    Attributes:
        degrees: largest angle. Default 15: the CIFAR-100 attack experiments of arXiv:2409.09196 (released code;
            it takes the nearest pixel instead of interpolating).

    Raises:
        SettingError: if the angle is outside [0, 180].
    """

    degrees: float = 15.0

    def __post_init__(self) -> None:
        """Check the setting."""
        if not 0 <= self.degrees <= 180:
            raise SettingError(f"rotate: expected degrees in [0, 180], got {self.degrees}")

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Turn each image; a positive angle turns it counter-clockwise."""
        batch, _, height, width = images.shape
        draws = torch.rand(batch, generator=generator, device=generator.device).to(images)
        angle = (2 * draws - 1) * math.radians(self.degrees)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # From a pixel of the result to one of the source, in coordinates that run over [-1, 1] on both axes.
        across = torch.stack([cos, -sin * height / width, zero], dim=1)
        down = torch.stack([sin * width / height, cos, zero], dim=1)
        grid = functional.affine_grid(torch.stack([across, down], dim=1), list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@dataclass(frozen=True)
class Augment:
    """Augmentations one after another; without any, images pass unchanged.

    Attributes:
        steps: in this order.

    Example:
        >>> images = torch.arange(4.0).view(1, 1, 2, 2)
        >>> Augment((Crop(1), Flip()))(images, torch.Generator().manual_seed(1))
        tensor([[[[0., 1.],
                  [0., 3.]]]])
    """

    steps: tuple[Step, ...] = ()

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Augment a batch.

        Args:
            images: float (B, C, H, W), in [0, 1].
            generator: of the draws; on any device: the same one draws the same for images on another device.

        Returns:
            float (B, C, H, W).

        Raises:
            DataError: if the images are of another type or shape.
        """
        if images.ndim != 4 or not images.is_floating_point():
            raise DataError(
                f"expected float images (B, C, H, W) in [0, 1], got {images.dtype} {tuple(images.shape)}; "
                "convert 8-bit images by .float() / 255 first"
            )
        for step in self.steps:
            images = step(images, generator)
        return images


_CROP_AND_FLIP = Augment((Crop(4), Flip()))

PRESETS: dict[str, Augment] = {  # by data set, as in the code of arXiv:2409.09196; grey digits and clothes: none
    "digits": Augment(),
    "mnist": Augment(),
    "fashion-mnist": Augment(),
    "cifar10": _CROP_AND_FLIP,
    "cifar10-jpeg": _CROP_AND_FLIP,
    "cifar100": _CROP_AND_FLIP,
    "cifar100-adversarial": Augment((Crop(4), Flip(), Rotate(15))),
}
