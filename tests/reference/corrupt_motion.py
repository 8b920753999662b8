"""Motion blur: the sum at every pixel; one image of levels (C, n, n) and one angle at a time."""

from math import ceil, cos, exp, sin

import numpy as np


def motion_blur(image, radius, sigma, angle):
    """In levels, before they are truncated."""
    weights = [exp(-(step**2) / (2 * sigma**2)) for step in range(2 * radius + 1)]
    size = image.shape[-1]
    result = np.zeros(image.shape)
    for y in range(size):
        for x in range(size):
            for step, weight in enumerate(weights):
                row = min(max(y + ceil(step * sin(angle) - 0.5), 0), size - 1)
                column = min(max(x + ceil(step * cos(angle) - 0.5), 0), size - 1)
                result[:, y, x] += weight / sum(weights) * image[:, row, column]
    return result
