"""Radius-accuracy curves: how much of the spectrum of its images a model needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.analyze.answers import right
from gossamer.analyze.frequency.fourier import Keep, kept_components, largest_radius, restored
from gossamer.analyze.images import on_device, one_size
from gossamer.analyze.passes import Data, Passes
from gossamer.core.interval import wilson_interval
from gossamer.core.modes import left_as_found

MOST_RADII = 33  # by default, so that 224-pixel images do not cost 160 evaluations


@dataclass(frozen=True)
class RadiusAccuracy:
    """What :func:`radius_accuracy` found.

    Attributes:
        keep: which frequencies were left.
        clip: whether the images were clipped to [0, 1].
        radii: in cycles per image.
        right: images that were right at each radius.
        clean: images that were right as they are.
        count: images in all.
    """

    keep: Keep
    clip: bool
    radii: tuple[float, ...]
    right: tuple[int, ...]
    clean: int
    count: int

    @property
    def accuracy(self) -> tuple[float, ...]:
        """At each radius, in [0, 1]."""
        return tuple(right / self.count for right in self.right)

    @property
    def clean_accuracy(self) -> float:
        """On the images as they are, in [0, 1]."""
        return self.clean / self.count

    def rows(self) -> list[dict[str, str | float | int]]:
        """A row for each radius, with Wilson's 95 % interval.

        Returns:
            Plain numbers.
        """
        rows: list[dict[str, str | float | int]] = []
        for radius, accuracy in zip(self.radii, self.accuracy, strict=True):
            low, high = wilson_interval(accuracy, self.count)
            rows.append(
                {
                    "keep": self.keep,
                    "radius": radius,
                    "accuracy": accuracy,
                    "interval_low": low,
                    "interval_high": high,
                    "clean_accuracy": self.clean_accuracy,
                    "images": self.count,
                }
            )
        return rows


def radius_accuracy(
    model: nn.Module,
    data: Data,
    *,
    keep: Keep = "low",
    radii: Sequence[float] | None = None,
    clip: bool = False,
    batch_size: int = 1000,
) -> RadiusAccuracy:
    """Accuracy on clean images without their high or low frequencies, against the radius (arXiv:2410.03030, Fig. 7).

    What is done to the images, and which part of it is an assumption, is told in
    :func:`gossamer.analyze.frequency.fourier.attenuate`.

    Args:
        model: takes images in [0, 1] and normalises by itself; left as found.
        data: clean test images (B, C, H, W) in [0, 1], all of one size, and their labels; read twice.
        keep: ``"low"`` attenuates the high frequencies (upper row of the figure), ``"high"`` the low ones (lower row).
        radii: in cycles per image; default: 0 to the corner of the plane in steps of 1, wider ones where these would
            be more than 33.
        clip: bring the attenuated images back into [0, 1].
        batch_size: images at once; it bounds the memory, not the result. A loader's own batches are not joined or cut.

    Returns:
        Images that are right at each radius, and as they are.

    Raises:
        DataError: a loader that shuffles, images of several sizes, not in [0, 1], or not what the model takes.
        SettingError: a radius below 0, no radius, or another word for ``keep``.

    Example:
        >>> dark_or_bright = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(1, 2))
        >>> with torch.no_grad():
        ...     _ = dark_or_bright[2].weight.copy_(torch.tensor([[-1.0], [1.0]]))
        ...     _ = dark_or_bright[2].bias.copy_(torch.tensor([1.0, 0.0]))
        >>> images = torch.cat([0.2 * torch.rand(5, 1, 8, 8), 1 - 0.2 * torch.rand(5, 1, 8, 8)])
        >>> labels = torch.tensor([0] * 5 + [1] * 5)
        >>> radius_accuracy(dark_or_bright, (images, labels), radii=[0, 6]).accuracy  # their mean says it all
        (1.0, 1.0)
        >>> radius_accuracy(dark_or_bright, (images, labels), keep="high", radii=[0, 6]).accuracy
        (0.5, 0.5)
    """
    passes = Passes(data, batch_size)
    with left_as_found(model):  # the data are inside: a loader draws from torch's random state
        height, width = one_size(passes)
        chosen = default_radii(height, width) if radii is None else tuple(float(radius) for radius in radii)
        kept = kept_components(height, width, chosen, keep)
        found, clean = torch.zeros(len(chosen), dtype=torch.int64), 0
        for given in passes:
            images, labels = on_device(*given, model)
            clean += int(right(model, images, labels).sum())
            found += _right_at_each(model, images, labels, kept, clip, max(1, batch_size // len(images)))
    return RadiusAccuracy(keep, clip, chosen, tuple(found.tolist()), clean, passes.count)


def default_radii(height: int, width: int) -> tuple[float, ...]:
    """Radii from 0 to the corner of the plane, in steps of 1, or wider ones so that there are at most 33.

    Args:
        height: of the images, H.
        width: of the images, W.

    Returns:
        Rising whole numbers; at the last one everything is inside.

    Example:
        >>> default_radii(8, 8), len(default_radii(32, 32)), default_radii(224, 224)[-3:]
        ((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 24, (150.0, 155.0, 159.0))
    """
    last = math.ceil(largest_radius(height, width))
    step = max(1, math.ceil(last / (MOST_RADII - 1)))
    return tuple(float(radius) for radius in (*range(0, last, step), last))


def _right_at_each(
    model: nn.Module, images: Tensor, labels: Tensor, kept: Tensor, clip: bool, at_once: int
) -> Tensor:  # (R,)
    """Right ones at each radius; the spectrum is computed once, and some radii go through the model together."""
    spectrum = torch.fft.rfft2(images)
    found = []
    for some in torch.split(kept.to(images.device), at_once):
        attenuated = restored(spectrum, some, images.shape[-2:], clip=clip)
        flags = right(model, attenuated.flatten(0, 1), labels.repeat(len(some)))
        found.append(flags.view(len(some), -1).sum(1).cpu())
    return torch.cat(found)
