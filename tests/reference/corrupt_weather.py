"""Snow, fog and frost, one image of levels (C, n, n) at a time, with the random numbers given."""

import numpy as np

from tests.reference.corrupt_blur import ROUNDING, clipped_zoom
from tests.reference.corrupt_motion import motion_blur


def plasma(noise, decay):
    """Diamond-square on a torus, pixel by pixel; ``noise`` in [0, 1) is used up in order."""
    side = round((len(noise) + 1) ** 0.5)
    field = np.zeros((side, side))
    numbers, step, wobble = iter(noise), side, 100.0

    def fill(first_row, first_column, neighbours):
        for row in range(first_row, side, step):
            for column in range(first_column, side, step):
                mean = sum(field[(row + down) % side, (column + right) % side] for down, right in neighbours) / 4
                field[row, column] = mean + wobble * wobble * (2 * next(numbers) - 1)

    while step >= 2:
        half = step // 2
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        sides = [(-half, 0), (half, 0), (0, -half), (0, half)]
        fill(half, half, corners)
        fill(0, half, sides)
        fill(half, 0, sides)
        step, wobble = half, wobble / decay
    field -= field.min()
    return field / field.max()


def fog(image, weight, decay, noise):
    size = image.shape[-1]
    bright = image / 255
    clouds = plasma(noise, decay)[:size, :size]
    return floor((bright + weight * clouds) * bright.max() / (bright.max() + weight))


def grey(image):
    return image if len(image) == 1 else np.tensordot([0.299, 0.587, 0.114], image, 1)[None]


def snow(image, mean, std, zoom, threshold, radius, sigma, mix, noise, angle):
    """``noise``: standard normal, (n, n), of which the zoom shows the middle."""
    layer = clipped_zoom(mean + std * noise, zoom)
    layer[layer < threshold] = 0
    layer = np.floor(np.clip(layer, 0, 1) * 255)
    layer = np.floor(motion_blur(layer[None], radius, sigma, angle) + ROUNDING) / 255
    clean = image / 255
    whitened = mix * clean + (1 - mix) * np.maximum(clean, grey(clean) * 1.5 + 0.5)
    return floor(whitened + layer + np.rot90(layer, 2, (1, 2)))


def frost(image, weight, share, ice, top, left):
    size = image.shape[-1]
    return floor((weight * image + share * ice[:, top : top + size, left : left + size]) / 255)


def resized(picture, scale):
    """Bilinear, pixel by pixel; (H, W)."""
    height, width = picture.shape
    result = np.zeros((round(height * scale), round(width * scale)))
    for row, column in np.ndindex(*result.shape):
        y = min(max((row + 0.5) / scale - 0.5, 0), height - 1)
        x = min(max((column + 0.5) / scale - 0.5, 0), width - 1)
        below, right = min(int(y) + 1, height - 1), min(int(x) + 1, width - 1)
        upper = picture[int(y), int(x)] * (1 - x % 1) + picture[int(y), right] * (x % 1)
        lower = picture[below, int(x)] * (1 - x % 1) + picture[below, right] * (x % 1)
        result[row, column] = upper * (1 - y % 1) + lower * (y % 1)
    return result


def floor(image):
    return np.floor(np.clip(image, 0, 1) * 255 + ROUNDING).astype(np.uint8)
