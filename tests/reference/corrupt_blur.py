"""Blur by fixed filters, one grey image (H, W) in [0, 1] at a time, from the words of the published description."""

from math import ceil

import numpy as np
from scipy.ndimage import correlate, gaussian_filter, zoom

ROUNDING = 1e-6  # of a level, as in the package: what is whole but for rounding is whole


def levels(image):
    return np.floor(np.clip(image, 0, 1) * 255 + ROUNDING).astype(np.uint8)


def gaussian_blur(image, sigma):
    return gaussian_filter(image, sigma, mode="nearest", truncate=4.0)


def disk(radius, alias):
    reach, side = (8, 1) if radius <= 8 else (ceil(radius), 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            kernel[row + reach, column + reach] = row**2 + column**2 <= radius**2
    kernel /= kernel.sum()
    smooth = np.zeros((2 * side + 1, 2 * side + 1))
    for row in range(-side, side + 1):
        for column in range(-side, side + 1):
            smooth[row + side, column + side] = np.exp(-(row**2 + column**2) / (2 * alias**2))
    return correlate(kernel, smooth / smooth.sum(), mode="mirror")


def defocus_blur(image, radius, alias):
    return correlate(image, disk(radius, alias), mode="mirror")


def clipped_zoom(image, factor):
    size = len(image)
    kept = ceil(size / factor)
    first = (size - kept) // 2
    large = zoom(image[first : first + kept, first : first + kept], factor, order=1)
    trim = (len(large) - size) // 2
    return large[trim : trim + size, trim : trim + size]


def zoom_blur(image, stop, step):
    total = image.copy()
    factors = np.arange(1, stop, step)
    for factor in factors:
        total = total + clipped_zoom(image, factor)
    return total / (len(factors) + 1)
