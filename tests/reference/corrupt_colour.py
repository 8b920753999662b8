"""Brightness and saturation through HSV, pixel by pixel, with the standard library's conversions; contrast."""

import colorsys

import numpy as np


def through_hsv(image, change):
    """``change(h, s, v)`` of every pixel of one float image (3, H, W)."""
    out = np.empty_like(image)
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            out[:, row, column] = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*image[:, row, column])))
    return out


def brightness(image, shift):
    return through_hsv(image, lambda h, s, v: (h, s, min(1.0, v + shift)))


def saturate(image, factor, shift):
    return through_hsv(image, lambda h, s, v: (h, min(1.0, s * factor + shift), v))


def contrast(image, factor):
    out = np.empty_like(image)
    for channel in range(len(image)):
        mean = sum(image[channel].ravel().tolist()) / image[channel].size
        out[channel] = (image[channel] - mean) * factor + mean
    return out
