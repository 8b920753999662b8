"""Blur by fixed filters: out of focus, zooming, Gaussian. The kinds of blur that draw numbers have their own files."""

import warnings
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gossamer.corrupt.families import by_family
from gossamer.corrupt.filters import gaussian, truncate, zoom_matrix
from gossamer.corrupt.glass import GLASS_BLUR
from gossamer.corrupt.kernels import Kernel, correlate, trim
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.motion import MOTION_BLUR
from gossamer.corrupt.streams import Streams


def defocus_blur(levels: Tensor, radius: float, alias: float, streams: Streams) -> Tensor:  # uint8 (B, C, n, n) -> same
    """Average over a disk of ``radius`` pixels, whose edge a Gaussian of ``alias`` pixels smooths."""
    return truncate(correlate(levels.to(streams.dtype), disk(radius, alias)))


@lru_cache(maxsize=32)
def disk(radius: float, alias: float) -> Kernel:
    """A disk that sums to 1, then smoothed.

    A disk of 8 pixels or more touches the border of its own array, which the smoothing mirrors; as in the published
    scripts, what that adds stays: images become 1.3 % brighter.

    Args:
        radius: in pixels; below 1 the disk is a single pixel.
        alias: standard deviation in pixels of the Gaussian that smooths it, cut to 3 x 3 pixels, or to 5 x 5 for disks
            of more than 8 pixels.

    Returns:
        Rows of numbers, without the border of zeros.

    Example:
        >>> [round(number, 3) for number in disk(0.5, 0.6)[1]]  # a 3 x 3 Gaussian
        [0.111, 0.445, 0.111]
    """
    from scipy.ndimage import correlate1d

    reach = max(8, ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    inside = offsets[:, None] ** 2 + offsets**2 <= radius**2
    smooth = inside / inside.sum()
    side = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    weights = np.exp(-(side**2) / (2 * alias**2))
    for axis in (0, 1):
        smooth = correlate1d(smooth, weights / weights.sum(), axis=axis, mode="mirror")
    return trim(smooth)


def zoom_blur(levels: Tensor, reach: float, step: float, streams: Streams) -> Tensor:  # uint8 (B, C, n, n) -> same
    """Average the image and its zooms by 1, 1 + step, ... towards 1 + reach."""
    device = "cuda" if levels.is_cuda else "cpu"  # the two whose sparse products are complete
    operator = zooms(levels.shape[-1], reach, step).to(device)
    pixels = levels.reshape(-1, operator.shape[1]).mT.to(device, torch.float64, memory_format=torch.contiguous_format)
    return truncate(operator @ pixels).mT.reshape(levels.shape).to(levels.device)


def factors(reach: float, step: float) -> np.ndarray[Any, Any]:
    """The zoom factors; ``arange`` in floating point, whose rounding decides if the end is one of them.

    Args:
        reach: largest factor less 1.
        step: between factors.

    Returns:
        From 1 up.

    Example:
        >>> len(factors(0.06, 0.01)), len(factors(0.16, 0.01))  # the end is in the first, not in the second
        (7, 16)
    """
    return np.arange(1, 1 + reach, step)


@lru_cache(maxsize=6)  # 21 MB each at 224 pixels
def zooms(size: int, reach: float, step: float) -> Tensor:
    """Σ A ⊗ A over the zooms' matrices A, and the image itself, as one sparse matrix: 12 numbers a row at 32 pixels.

    Args:
        size: pixels of a side.
        reach: largest factor less 1.
        step: between factors.

    Returns:
        (size², size²), float64 in compressed rows; the clean image counts twice: by itself and as the zoom by 1.
    """
    from scipy.sparse import csr_array, eye_array, kron

    chosen = factors(reach, step)
    total = eye_array(size * size).tocsr()
    for factor in chosen:
        matrix = csr_array(zoom_matrix(size, float(factor)).numpy())
        total = total + kron(matrix, matrix).tocsr()
    total = total.multiply(1 / (len(chosen) + 1)).tocsr()
    rows, columns = (torch.from_numpy(part.astype(np.int32)) for part in (total.indptr, total.indices))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        numbers = torch.from_numpy(total.data)
        return torch.sparse_csr_tensor(rows, columns, numbers, size=total.shape, check_invariants=True)


def gaussian_blur(levels: Tensor, sigma: float, streams: Streams) -> Tensor:  # uint8 (B, C, n, n) -> same
    """Blur by a Gaussian of standard deviation ``sigma`` in pixels."""
    return truncate(gaussian(levels.to(streams.dtype), sigma))


BLUR = {
    "defocus_blur": Corruption(
        defocus_blur,
        by_family(
            cifar=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
            tiny=((0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)),
            imagenet=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
        ),
        "blur",
        random=False,
        levels=True,
        bounds=((None, None), (None, 0.6)),
    ),
    "glass_blur": GLASS_BLUR,
    "motion_blur": MOTION_BLUR,
    "zoom_blur": Corruption(
        zoom_blur,
        by_family(
            cifar=((0.06, 0.01), (0.11, 0.01), (0.16, 0.01), (0.21, 0.01), (0.26, 0.01)),
            tiny=((0.06, 0.01), (0.11, 0.01), (0.16, 0.01), (0.21, 0.01), (0.26, 0.01)),
            imagenet=((0.11, 0.01), (0.16, 0.01), (0.21, 0.02), (0.26, 0.02), (0.31, 0.03)),
        ),
        "blur",
        random=False,
        levels=True,
    ),
    "gaussian_blur": Corruption(
        gaussian_blur,
        by_family(
            cifar=(0.4, 0.6, 0.7, 0.8, 1.0),
            tiny=(0.5, 0.75, 1.0, 1.25, 1.5),
            imagenet=(1.0, 2.0, 3.0, 4.0, 6.0),
        ),
        "extra",
        random=False,
        levels=True,
    ),
}
