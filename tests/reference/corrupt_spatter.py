"""Canny's edges, chamfer distances, histogram equalisation and spatter of one image, pixel by pixel."""

import heapq
import math

import numpy as np
from scipy.ndimage import gaussian_filter

STEPS = {(0, 1): 65536, (1, 1): 91750, (1, 2): 143976}  # 1, 1.4 and 2.1969 in units of 2⁻¹⁶


def mirrored(place, size):
    """About the outermost pixels."""
    place = abs(place)
    return place if place < size else 2 * (size - 1) - place


def sobel(picture, y, x):
    """Derivatives to the right and down; beyond the border the outermost pixels repeat."""
    height, width = picture.shape
    across = down = 0
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            value = int(picture[min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)])
            across += dx * (2 - abs(dy)) * value
            down += dy * (2 - abs(dx)) * value
    return across, down


def canny(picture, low, high):
    height, width = picture.shape
    gradient = {(y, x): sobel(picture, y, x) for y in range(height) for x in range(width)}
    size = {place: abs(across) + abs(down) for place, (across, down) in gradient.items()}
    ridge = set()
    for (y, x), (across, down) in gradient.items():
        angle = math.degrees(math.atan2(abs(down), abs(across)))
        if angle < 22.5:
            before, after, strict = (y, x - 1), (y, x + 1), False
        elif angle > 67.5:
            before, after, strict = (y - 1, x), (y + 1, x), False
        else:
            side = -1 if (across < 0) != (down < 0) else 1
            before, after, strict = (y - 1, x - side), (y + 1, x + side), True
        own, first, second = size[y, x], size.get(before, 0), size.get(after, 0)
        if own > low and own > first and (own > second or (own == second and not strict)):
            ridge.add((y, x))
    edges = np.zeros(picture.shape, bool)
    waiting = [place for place in ridge if size[place] > high]
    while waiting:
        y, x = waiting.pop()
        if (y, x) in ridge and not edges[y, x]:
            edges[y, x] = True
            waiting += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return edges


def distance(edges, largest):
    """Dijkstra over straight, diagonal and knight's moves."""
    far = largest * 65536
    found = np.full(edges.shape, far)
    waiting = [(0, int(y), int(x)) for y, x in zip(*np.nonzero(edges), strict=True)]
    for _, y, x in waiting:
        found[y, x] = 0
    moves = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if tuple(sorted((abs(dy), abs(dx)))) in STEPS]
    while waiting:
        length, y, x = heapq.heappop(waiting)
        for dy, dx in moves:
            reached = length + STEPS[tuple(sorted((abs(dy), abs(dx))))]
            inside = 0 <= y + dy < edges.shape[0] and 0 <= x + dx < edges.shape[1]
            if inside and reached < found[y + dy, x + dx]:
                found[y + dy, x + dx] = reached
                heapq.heappush(waiting, (reached, y + dy, x + dx))
    return found


def correlate(picture, kernel):
    height, width = picture.shape
    out = np.zeros(picture.shape)
    for y in range(height):
        for x in range(width):
            for dy in range(3):
                for dx in range(3):
                    near = picture[mirrored(y + dy - 1, height), mirrored(x + dx - 1, width)]
                    out[y, x] += kernel[dy][dx] * near
    return out


def equalize(picture):
    values = sorted(picture.ravel().tolist())
    lowest = values.count(values[0])
    if lowest == len(values):
        return picture.copy()
    table = {
        value: round((sum(other <= value for other in values) - lowest) * 255 / (len(values) - lowest))
        for value in set(values)
    }
    return np.vectorize(table.get)(picture)


def spatter(image, mean, std, sigma, threshold, strength, mud, noise):
    """Of one float image (3, n, n), given its normal numbers (n, n)."""
    liquid = gaussian_filter(mean + std * noise, sigma, mode="nearest", truncate=4)
    if mud:
        cover = gaussian_filter((liquid > threshold).astype(float), strength, mode="nearest", truncate=4)
        cover[cover < 0.8] = 0
        return image * (1 - cover) + np.array([63, 42, 20])[:, None, None] / 255 * cover
    liquid[liquid < threshold] = 0
    levels = (liquid * 255).astype(int) % 256
    away = correlate(distance(canny(levels, 50, 150), 20), [[1] * 3] * 3) // (9 * 65536)
    relief = correlate(equalize(away.astype(int)), [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]).clip(0, 255)
    drops = levels * np.round(correlate(relief, [[1] * 3] * 3) / 9)
    thick = drops / drops.max() if drops.max() > 0 else drops
    return image + strength * thick * np.array([175, 238, 238])[:, None, None] / 255
