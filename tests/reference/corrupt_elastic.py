"""Elastic transform of one float image (C, n, n) by scipy, given its uniform numbers in [-1, 1)."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates


def elastic_transform(image, strength, sigma, corners, field):
    """``corners``: (3, 2) shifts in pixels, x and y; ``field``: (2, n, n), x and y."""
    size = image.shape[-1]
    middle, half = size // 2, size // 3
    before = np.array([[middle + half, middle + half], [middle + half, middle - half], [middle - half, middle - half]])
    after = before + corners
    # the affine map from an output place to its source: three equations for each of x and y
    system = np.concatenate([after, np.ones((3, 1))], axis=1)
    matrix = np.linalg.solve(system, before)
    rows, columns = np.mgrid[:size, :size].astype(float)
    places = np.stack([columns.ravel(), rows.ravel(), np.ones(size * size)], axis=1) @ matrix
    x, y = places.T.reshape(2, size, size)
    moved = np.stack([map_coordinates(channel, [y, x], order=1, mode="mirror") for channel in image])
    if strength == 0:
        return moved
    dx, dy = (gaussian_filter(part, sigma, mode="reflect", truncate=3) * strength for part in field)
    return np.stack([map_coordinates(channel, [rows + dy, columns + dx], order=1, mode="reflect") for channel in moved])
