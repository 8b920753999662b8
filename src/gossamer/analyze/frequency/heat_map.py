"""Fourier heat maps: how much noise of each single frequency harms a model (Yin et al. 2019, arXiv:1906.08988)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gossamer.analyze.answers import right
from gossamer.analyze.frequency.basis import Frequency, fourier_basis, half_plane
from gossamer.analyze.frequency.fourier import frequencies, radial_mean
from gossamer.analyze.images import on_device, one_size
from gossamer.analyze.passes import Batch, Data, Passes
from gossamer.core.errors import SettingError
from gossamer.core.given import check_seed
from gossamer.core.interval import wilson_interval
from gossamer.core.modes import left_as_found
from gossamer.core.schedule import is_whole


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What :func:`fourier_heat_map` found.

    Attributes:
        error: share of wrong images by frequency, float64 (h, w), centred: frequency (0, 0) at (h // 2, w // 2).
        clean_error: share of wrong images without noise.
        eps: l2 norm of the noise in each channel.
        count: images.
    """

    error: Tensor = field(repr=False)
    clean_error: float
    eps: float
    count: int

    def profile(self) -> Tensor:
        """The mean error over each ring of frequencies.

        Returns:
            float64 (R,), by the distance from the centre.
        """
        return radial_mean(self.error)

    def rows(self) -> list[dict[str, float | int]]:
        """A row for each frequency, with Wilson's 95 % interval of its error.

        Returns:
            Plain numbers; frequencies in cycles per image.
        """
        down, across = (frequencies(size).tolist() for size in self.error.shape)
        rows: list[dict[str, float | int]] = []
        for vertical, errors in zip(down, self.error.tolist(), strict=True):
            for horizontal, error in zip(across, errors, strict=True):
                low, high = wilson_interval(error, self.count)
                rows.append(
                    {
                        "vertical": vertical,
                        "horizontal": horizontal,
                        "error": error,
                        "interval_low": low,
                        "interval_high": high,
                        "clean_error": self.clean_error,
                        "images": self.count,
                    }
                )
        return rows


def fourier_heat_map(
    model: nn.Module,
    data: Data,
    *,
    eps: float = 4.0,
    size: int | None = None,
    images: int | None = 1000,
    seed: int = 0,
    batch_size: int = 1000,
) -> HeatMap:
    """Error of a model under noise of one frequency, for each frequency (Yin et al. 2019, arXiv:1906.08988, sec. 3).

    Of every image x each channel becomes x + r · eps · U, clipped to [0, 1], before the model normalises anything: U
    is the real basis image of the frequency with l2 norm 1, r is -1 or 1 by chance for each image, frequency and
    channel. A frequency and its mirror image share one basis image, and are measured once. What chance decides
    depends on the seed and on an image's place in the data alone.

    Args:
        model: takes images in [0, 1] and normalises by itself; left as found.
        data: images (N, C, H, W) in [0, 1], all of one size, and their labels; read twice.
        eps: l2 norm of the noise in each channel of an image in [0, 1]; the authors take 4 for CIFAR-10 and 15.7 for
            ImageNet at 224 pixels.
        size: side of the map where only lower frequencies are wanted, as 63 for ImageNet; default: all of them.
        images: how many, evenly spaced over the data, so that data sorted by class are no trouble; None takes all.
            The cost is (H·W / 2) · images forward passes.
        seed: of the signs, 0 or more.
        batch_size: images at once; it bounds the memory, not the result.

    Returns:
        The map and the error without noise.

    Raises:
        SettingError: eps not above 0, a size that the images do not have, no images, or a seed below 0.
        DataError: a loader that shuffles, images of several sizes, not in [0, 1], or not what the model takes.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        >>> pictures = torch.rand(20, 1, 4, 4)
        >>> found = fourier_heat_map(model, (pictures, model(pictures).argmax(1)), eps=2.0)
        >>> found.clean_error, found.error.shape, bool(found.error[2, 1] == found.error[2, 3])
        (0.0, torch.Size([4, 4]), True)
    """
    _check_settings(eps, images, seed)
    passes = Passes(data, batch_size)
    generator = torch.Generator().manual_seed(seed)
    with left_as_found(model):  # the data are inside: a loader draws from torch's random state
        height, width = one_size(passes)
        wanted, place = half_plane(height, width, size)
        taken = _evenly(passes.count, images)
        wrong, clean = torch.zeros(len(wanted), dtype=torch.int64), 0
        for given in _only(passes, taken):
            shown, labels = on_device(*given, model)
            signs = _signs((len(shown), len(wanted), shown.shape[1]), generator)
            clean += int((~right(model, shown, labels)).sum())
            wrong += _wrong_at_each(model, shown, labels, wanted, eps * signs, max(1, batch_size // len(shown)))
    return HeatMap((wrong.double() / len(taken))[place], clean / len(taken), eps, len(taken))


def _signs(shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """-1 or 1, int8 (B, F, C), drawn image by image, so that the batches do not matter."""
    return 2 * torch.randint(2, shape, generator=generator, dtype=torch.int8) - 1


def _wrong_at_each(
    model: nn.Module, images: Tensor, labels: Tensor, wanted: list[Frequency], factors: Tensor, at_once: int
) -> Tensor:  # (F,)
    """Wrong ones at each frequency; some frequencies go through the model together."""
    found = []
    for start in range(0, len(wanted), at_once):  # all basis images at once would be 0.8 GB for 63² of 224² pixels
        some = wanted[start : start + at_once]
        basis = fourier_basis(images.shape[-2], images.shape[-1], some).to(images)
        factor = factors[:, start : start + at_once].transpose(0, 1).to(images)
        noisy = (images + factor[..., None, None] * basis[:, None, None]).clamp(0, 1)  # (f, B, C, H, W)
        flags = right(model, noisy.flatten(0, 1), labels.repeat(len(some)))
        found.append((~flags).view(len(some), -1).sum(1).cpu())
    return torch.cat(found)


def _evenly(count: int, images: int | None) -> list[int]:
    """Rising places in data of ``count`` samples."""
    taken = count if images is None else min(images, count)
    return [index * count // taken for index in range(taken)]


def _only(passes: Passes, taken: list[int]) -> Iterator[Batch]:
    """The samples at rising places."""
    places, start = torch.tensor(taken), 0
    for images, labels in passes:
        here = places[(places >= start) & (places < start + len(labels))] - start
        start += len(labels)
        if len(here):
            yield images[here.to(images.device)], labels[here.to(labels.device)]


def _check_settings(eps: float, images: int | None, seed: int) -> None:
    if not (math.isfinite(eps) and eps > 0):
        raise SettingError(f"expected eps > 0, the l2 norm of the noise in a channel, got {eps}; 4 suits 32 pixels")
    if images is not None and not (is_whole(images) and images >= 1):
        raise SettingError(f"expected 1 image or more, got images={images!r}; None takes all")
    check_seed(seed)
