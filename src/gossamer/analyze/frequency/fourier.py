"""The centred Fourier plane of images: frequency (0, 0) at (H // 2, W // 2), as after ``fftshift``."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from gossamer.analyze.images import check_images
from gossamer.core.errors import SettingError

Keep = Literal["low", "high"]


def frequencies(size: int) -> Tensor:
    """The whole-numbered frequencies along one side, in the order of the centred plane.

    Args:
        size: pixels along the side.

    Returns:
        int64 (size,): -(size // 2) to (size - 1) // 2, in cycles per image.

    Example:
        >>> frequencies(4), frequencies(5)
        (tensor([-2, -1,  0,  1]), tensor([-2, -1,  0,  1,  2]))
    """
    return torch.arange(size) - size // 2


def distances(height: int, width: int) -> Tensor:
    """How far each frequency of the centred plane is from its centre, in cycles per image.

    Args:
        height: of the images, H.
        width: of the images, W.

    Returns:
        float64 (H, W), from 0 to √((H // 2)² + (W // 2)²).

    Example:
        >>> distances(2, 3)
        tensor([[1.4142, 1.0000, 1.4142],
                [1.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    return _squared(height, width).double().sqrt()


def _squared(height: int, width: int) -> Tensor:
    """Squares of the distances, whole numbers."""
    down, across = frequencies(height), frequencies(width)
    return down[:, None] ** 2 + across[None, :] ** 2


def largest_radius(height: int, width: int) -> float:
    """The distance of the corner: a disk of this radius holds the whole plane.

    Args:
        height: of the images, H.
        width: of the images, W.

    Returns:
        √((H // 2)² + (W // 2)²).

    Example:
        >>> round(largest_radius(32, 32), 2)
        22.63
    """
    return math.sqrt((height // 2) ** 2 + (width // 2) ** 2)


def attenuate(images: Tensor, radius: float, keep: Keep = "low", *, clip: bool = False) -> Tensor:
    """Images without their high or without their low frequencies.

    The Fourier components of each channel that lie outside of a disk around the centre of the plane (``"low"`` is
    kept), or inside of it (``"high"`` is kept), become zero, after the description of Fig. 7 and Eqs. 1-2 of Wu et
    al. (arXiv:2410.03030). Their exact masks are not known here and are assumed: a component is inside if its distance
    from the centre is at most the radius, and the images are not clipped. So the two parts add up to the image, "low"
    at radius 0 is its mean and at ``largest_radius`` the image itself, "high" is then the image without its mean, and
    nothing.

    Args:
        images: (B, C, H, W), in [0, 1].
        radius: of the disk, in cycles per image, 0 or more.
        keep: which frequencies are left.
        clip: bring the result back into [0, 1]. Half of an image without its mean is negative, so that clipping
            takes away more than was meant; it is for models that take nothing else.

    Returns:
        (B, C, H, W), of the images' type.

    Raises:
        SettingError: a radius below 0, or another word for ``keep``.
        DataError: not images in [0, 1].

    Example:
        >>> stripes = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 4)
        >>> attenuate(stripes, 1.0)[0, 0, 0], attenuate(stripes, 1.0, "high")[0, 0, 0]
        (tensor([0.5000, 0.5000, 0.5000, 0.5000]), tensor([-0.5000,  0.5000, -0.5000,  0.5000]))
    """
    check_images(images)
    kept = kept_components(images.shape[-2], images.shape[-1], [radius], keep).to(images.device)
    return restored(torch.fft.rfft2(images), kept, images.shape[-2:], clip=clip)[0]


def kept_components(height: int, width: int, radii: Sequence[float], keep: Keep) -> Tensor:
    """Which components of ``torch.fft.rfft2`` are left, for each of several radii.

    A component and its mirror image, which ``rfft2`` leaves out, are equally far from the centre: nothing is lost.

    Args:
        height: of the images, H.
        width: of the images, W.
        radii: R of them, 0 or more.
        keep: as in ``attenuate``.

    Returns:
        bool (R, H, W // 2 + 1), in the order of ``rfft2``.

    Raises:
        SettingError: no radius, one below 0, or another word for ``keep``.

    Example:
        >>> kept_components(1, 5, [1.0], "low")
        tensor([[[ True,  True, False]]])
    """
    if keep not in get_args(Keep):
        raise SettingError(f"expected keep='low' or keep='high', got {keep!r}; it names the frequencies that are left")
    if not radii or not all(math.isfinite(radius) and radius >= 0 for radius in radii):
        raise SettingError(
            f"expected radii of 0 or more, in cycles per image, got {list(radii)}; pass for instance [0, 4, 8]"
        )
    plane = torch.fft.ifftshift(_squared(height, width))[:, : width // 2 + 1]
    # a radius of √8 holds the distance √8, although torch's square root of 8 is off by one in its last bit
    limits = torch.tensor([radius * radius * (1 + 1e-12) for radius in radii], dtype=torch.float64)
    inside = plane <= limits[:, None, None]
    kept: Tensor = inside if keep == "low" else ~inside
    return kept


def restored(spectrum: Tensor, kept: Tensor, size: torch.Size, *, clip: bool) -> Tensor:
    """The images of what is left of a spectrum.

    Args:
        spectrum: of ``rfft2``, (B, C, H, W // 2 + 1).
        kept: bool (R, H, W // 2 + 1).
        size: H and W.
        clip: bring the result into [0, 1].

    Returns:
        (R, B, C, H, W).

    Example:
        >>> spectrum = torch.fft.rfft2(torch.tensor([[[[0.0, 1.0, 2.0]]]]))
        >>> restored(spectrum, torch.tensor([[[True, False]]]), torch.Size([1, 3]), clip=False)
        tensor([[[[[1., 1., 1.]]]]])
    """
    images: Tensor = torch.fft.irfft2(spectrum * kept[:, None, None], s=(size[0], size[1]))
    return images.clamp(0, 1) if clip else images


def radial_mean(plane: Tensor) -> Tensor:
    """The mean over each ring of a centred plane: frequencies whose distance rounds to the same whole number.

    Args:
        plane: (H, W).

    Returns:
        float64 (R,), entry r for the ring of radius r, up to the corner.

    Example:
        >>> radial_mean(torch.tensor([[1.0, 2.0, 1.0], [2.0, 9.0, 2.0], [1.0, 2.0, 1.0]]))
        tensor([9.0000, 1.5000], dtype=torch.float64)
    """
    ring = distances(plane.shape[0], plane.shape[1]).round().long().flatten().to(plane.device)
    sums = torch.zeros(int(ring.max()) + 1, dtype=torch.float64, device=plane.device)
    return sums.index_add(0, ring, plane.double().flatten()) / torch.bincount(ring)
