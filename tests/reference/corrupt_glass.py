"""Frosted glass: the loop over pixels, in place, as published; one image of levels (C, n, n) at a time."""

from tests.reference.corrupt_blur import gaussian_blur, levels


def copy_pixels(image, columns, rows, reach):
    """Copy onto (h, w) from (h + rows, w + columns), from the last pixel to the first; (n - 2r, n - 2r) offsets."""
    size = image.shape[-1]
    moved = image.copy()
    for h in range(size - reach, reach, -1):
        for w in range(size - reach, reach, -1):
            down, right = rows[h - reach - 1, w - reach - 1], columns[h - reach - 1, w - reach - 1]
            moved[:, h, w] = moved[:, h + down, w + right]
    return moved


def glass_blur(image, sigma, reach, passes):
    """``passes``: the offsets of each pass, (columns, rows)."""
    moved = blur(image, sigma)
    for columns, rows in passes:
        moved = copy_pixels(moved, columns, rows, reach)
    return blur(moved, sigma)


def blur(image, sigma):
    return levels(gaussian_channels(image / 255, sigma))


def gaussian_channels(image, sigma):
    result = image.copy()
    for number, channel in enumerate(image):
        result[number] = gaussian_blur(channel, sigma)
    return result
