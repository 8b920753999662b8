"""Correlation with a small two-dimensional kernel whose border is mirrored at the outermost pixels (reflect-101)."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gossamer.corrupt.filters import like

Kernel = tuple[tuple[float, ...], ...]  # hashable, odd height and width
LARGE = 128  # pixels: beyond, one Fourier transform is cheaper than the 7 matrix products of a disk of 10 pixels


def trim(kernel: np.ndarray[Any, Any], least: float = 1e-12) -> Kernel:
    """Cut the border of a kernel that is smaller than a share of its sum, the same on every side.

    Args:
        kernel: odd height and width.
        least: the share; what is cut changes an image by less than this times its range.

    Returns:
        Rows of numbers.

    Example:
        >>> trim(np.array([[0, 0, 0], [0, 2, 0], [0, 0, 0]]))
        ((2.0,),)
    """
    while len(kernel) > 1 and abs(kernel).sum() - abs(kernel[1:-1, 1:-1]).sum() <= least * abs(kernel).sum():
        kernel = kernel[1:-1, 1:-1]
    return tuple(tuple(map(float, row)) for row in kernel)


def correlate(images: Tensor, kernel: Kernel) -> Tensor:  # (B, C, n, n) -> same
    """Correlate every channel with a kernel; borders are mirrored without repeating the outermost pixel.

    Args:
        images: (B, C, n, n).
        kernel: rows of numbers, as ``trim`` gives.

    Returns:
        The same shape.

    Example:
        >>> right = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
        >>> correlate(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), right).round()
        tensor([[[[2., 1.],
                  [4., 3.]]]])
    """
    size = images.shape[-1]
    if size > LARGE:
        return _by_fourier(images, kernel)
    rows, columns = (like(matrix, images) for matrix in _terms(kernel, size))
    across = (images @ columns).reshape(*images.shape[:-1], -1, size)  # (B, C, n, terms, n)
    return rows @ across.flatten(-3, -2)


@lru_cache(maxsize=32)
def _terms(kernel: Kernel, size: int) -> tuple[Tensor, Tensor]:
    """The kernel as a sum of separable ones: Σ Aₖ x Bₖᵀ = [A₁ ... Aₖ] [x B₁ᵀ; ...], both lists as one matrix."""
    from scipy.ndimage import correlate1d

    left, scale, right = np.linalg.svd(np.array(kernel))
    count = int((scale > 1e-13 * scale[0]).sum())  # a disk of radius 3 has 3
    eye = np.eye(size)
    rows = [correlate1d(eye, left[:, term] * scale[term], axis=0, mode="mirror") for term in range(count)]
    columns = [correlate1d(eye, right[term], axis=0, mode="mirror") for term in range(count)]
    return torch.from_numpy(np.stack(rows, 2).reshape(size, -1)), torch.from_numpy(np.concatenate(columns).T.copy())


def _by_fourier(images: Tensor, kernel: Kernel) -> Tensor:
    from scipy.fft import next_fast_len

    height, width = len(kernel) // 2, len(kernel[0]) // 2
    shape = tuple(next_fast_len(images.shape[-1] + 2 * reach, real=True) for reach in (height, width))
    padded = pad(images, (width, width, height, height), mode="reflect")
    spectrum = torch.fft.rfft2(padded, s=shape) * _spectrum(kernel, shape).to(images.device)
    wide: Tensor = torch.fft.irfft2(spectrum, s=shape)
    return wide[..., : images.shape[-2], : images.shape[-1]]


@lru_cache(maxsize=8)
def _spectrum(kernel: Kernel, shape: tuple[int, int]) -> Tensor:
    spectrum: Tensor = torch.fft.rfft2(torch.tensor(kernel, dtype=torch.float64), s=shape)
    return spectrum.conj()
