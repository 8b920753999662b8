"""Augmentations pixel by pixel, for one image (channels, rows, columns) as nested lists."""

import math


def crop(image, padding, top, left):
    height, width = len(image[0]), len(image[0][0])

    def pixel(plane, row, column):
        inside = 0 <= row < height and 0 <= column < width
        return plane[row][column] if inside else 0.0

    return [
        [
            [pixel(plane, row + top - padding, column + left - padding) for column in range(width)]
            for row in range(height)
        ]
        for plane in image
    ]


def flip(image):
    return [[row[::-1] for row in plane] for plane in image]


def rotate(image, degrees):
    """Counter-clockwise as seen on the screen, where rows run downwards."""
    height, width = len(image[0]), len(image[0][0])
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    result = []
    for plane in image:
        rows = []
        for row in range(height):
            values = []
            for column in range(width):
                right, up = column - middle_column, middle_row - row
                # turn back by the angle to find where this pixel came from
                source_right, source_up = right * cos + up * sin, -right * sin + up * cos
                values.append(_bilinear(plane, middle_row - source_up, middle_column + source_right))
            rows.append(values)
        result.append(rows)
    return result


def _bilinear(plane, row, column):
    height, width = len(plane), len(plane[0])
    value = 0.0
    for near_row in (math.floor(row), math.floor(row) + 1):
        for near_column in (math.floor(column), math.floor(column) + 1):
            if 0 <= near_row < height and 0 <= near_column < width:
                weight = (1 - abs(row - near_row)) * (1 - abs(column - near_column))
                value += weight * plane[near_row][near_column]
    return value
