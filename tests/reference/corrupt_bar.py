"""The ten kinds of ImageNet-C-bar, one image and one pixel at a time, levels 0..255, from numbers drawn before.

``image`` is (n, n, C) floats, ``level`` 0..10; the result is float, neither clipped nor truncated. Every function
takes the uniform, normal or whole numbers that gossamer's has drawn, in the order of its calls.
"""

import cmath
import math

import numpy as np
from scipy.ndimage import gaussian_filter


def pixels(size):
    return ((y, x) for y in range(size) for x in range(size))


def coloured_spectrum(phases, size, amplitude):
    """The sum over frequencies, cosine by cosine, of the phases' first half and its mirror image."""
    half = [2 * math.pi * phase for phase in phases]
    every = half + ([0.0] if size % 2 else []) + half[::-1]
    spectrum = np.zeros((size, size), complex)
    for number, phase in enumerate(every):
        row, column = divmod(number, size)
        distance = math.dist((row, column), (size / 2, size / 2))
        place = (row + size // 2) % size, (column + size // 2) % size
        spectrum[place] = amplitude(distance) * cmath.exp(1j * phase)
    turns = np.exp(2j * math.pi * np.outer(range(size), range(size)) / size)
    noise = (turns @ spectrum @ turns).real
    return noise / noise.std()


def blue_noise_sample(image, level, phases):
    noise = coloured_spectrum(phases, len(image), lambda frequency: frequency)
    out = image.copy()
    for y, x in pixels(len(image)):
        if noise[y, x] <= level * 3 / 10 - 2.5:
            out[y, x] = 0
    return out


def brownish_noise(image, level, phases):
    out = image.copy()
    for channel, own in enumerate(phases):
        noise = coloured_spectrum(own, len(image), lambda frequency: 1 / (frequency**2 + 1))
        out[:, :, channel] += level * 64 / 10 * noise
    return out


def single_frequency_greyscale(image, level, drawn):
    one = drawn[0] * 2 * math.pi - math.pi
    other = -abs(one) + 2 * abs(one) * drawn[1]
    across, down = (one, other) if drawn[2] < 0.5 else (other, one)
    out = image.copy()
    for y, x in pixels(len(image)):
        out[y, x] += level * 196 / 10 * math.sin(x * across + y * down + 2 * math.pi * drawn[3])
    return out


def cocentric_sine_waves(image, level, drawn):
    size, out = len(image), image.copy()
    y0, x0, frequency, amplitude = drawn[0] * size, drawn[1] * size, drawn[2] * 10, drawn[3] * size / 10
    width = (1 - drawn[4]) * size / 10
    for y, x in pixels(size):
        angle = math.atan2(x - x0, y - y0) * frequency
        radius = math.dist((y, x), (y0, x0)) + math.sin(angle) * amplitude
        out[y, x] += level * 128 / 10 * ((radius % width) / width - 0.5)
    return out


def plasma_noise(image, level, drawn, bends):
    size, out = len(image), image.copy()
    time, sharpness, scale = 6 * math.pi * drawn[0], 0.5 + drawn[1] / 2, (0.075 + drawn[2] * 0.125) * size
    weight = level * 64 / 10
    for row, column in pixels(size):
        x, y = column / scale, row / scale
        fine, late, damp = 1.0, 1.0, 1.0
        for _ in range(bends):
            right, down = math.cos(y * fine + time / late) / damp, math.sin(x * fine + time / late) / damp
            x, y = x + right - 0.3 * down, y + down + 0.3 * right
            fine, late, damp = fine * 1.93, late * 1.15, damp * (2.25 - sharpness)
        colour = [math.sin(x - time), math.sin((x + y + math.sin(time)) * 0.5), math.sin(y + time)]
        out[row, column] = (1 - weight / 255) * out[row, column] + weight * np.array(colour)
    return out


def perlin_noise(image, level, ranks, squares):
    size, out = len(image), image.copy()
    order = sorted(range(256), key=lambda number: ranks[number])
    gradients = [(2 * a - 1, 2 * b - 1) for a, b in squares]

    def towards(i, j, y, x):
        gy, gx = gradients[order[(order[i] + j) % 256]]
        return (gy * (y - i) + gx * (x - j)) / math.hypot(gy, gx)

    def mix(a, b, share):
        return a + (3 * share**2 - 2 * share**3) * (b - a)

    def noise(y, x):
        i, j = math.floor(y), math.floor(x)
        left = mix(towards(i, j, y, x), towards(i + 1, j, y, x), y - i)
        right = mix(towards(i, j + 1, y, x), towards(i + 1, j + 1, y, x), y - i)
        return 1.5 * mix(left, right, x - j)

    step = 224 / (32 * size)
    for y, x in pixels(size):
        turbulence = sum(abs(noise(f * y * step, f * x * step)) / f for f in (1, 2, 4, 8, 16))
        value = min(max(0.5 * turbulence + 0.5, 0), 1)
        out[y, x] = (1 - level * 0.05) * out[y, x] + 255 * level * 0.05 * value
    return out


def checkerboard_cutout(image, level, drawn, cells):
    size, out = len(image), image.copy()
    angle, scale = 2 * math.pi * drawn[0], max(1, (0.1 + 0.15 * drawn[1]) * size)
    middle = len(cells) // 2
    for y, x in pixels(size):
        down = (math.cos(angle) * y + math.sin(angle) * x) / scale
        across = (-math.sin(angle) * y + math.cos(angle) * x) / scale
        same_colour = math.floor(down) % 2 == math.floor(across) % 2
        if same_colour and cells[middle + int(down)][middle + int(across)] < level / 10:
            out[y, x] = 128
    return out


def star(y, x, centre, lengths, exponent):
    rays, distance = len(lengths), math.dist((y, x), centre)
    turn = (math.atan2(x - centre[1], y - centre[0]) + math.pi) / (2 * math.pi) * rays
    ray, between = int(turn), turn - int(turn)
    length = (1 - between) * lengths[ray % rays] + between * lengths[(ray + 1) % rays]
    falloff = (length**2 / (distance**2 + 1e-4)) ** exponent
    return min(max(falloff * (1 - (between - 0.5) ** 2), 0), 1)


def sparkles(image, level, centres, rays, normals):
    size, out = len(image), image.copy()
    radius = level * 0.01 * size
    for centre, count, own in zip(centres, rays, normals, strict=True):
        lengths = [max(1, radius + 0.25 * radius * number) for number in own[:count]]
        for y, x in pixels(size):
            light = star(y, x, [size * c for c in centre], lengths, 1.0)
            out[y, x] += light * (255 - out[y, x])
    return out


def inverse_sparkles(image, level, centre, rays, normals):
    size, out = len(image), image.copy()
    middle = [(0.25 + c / 2) * size for c in centre]
    lengths = [0.25 * size + 0.25 * 0.25 * size * number for number in normals[:rays]]
    amount = 100 - level * 6.5
    for y, x in pixels(size):
        light = star(y, x, middle, lengths, (100 - amount) / 50)
        out[y, x] = 255 + light * (out[y, x] - 255)
    return out


def caustic(y, x, time, scale):
    p = [(y / scale) % 1 * 6.28318530718 - 250, (x / scale) % 1 * 6.28318530718 - 250]
    i, light = list(p), 1.0
    for wave in range(5):
        t = time * (1 - 3.5 / (wave + 1))
        i = [
            p[0] + math.cos(t - i[0]) + math.sin(t + i[1]),
            p[1] + math.sin(t - i[1]) + math.cos(t + i[0]),
        ]
        light += 1 / (0.005 * math.hypot(p[0] / math.sin(i[0] + t), p[1] / math.cos(i[1] + t)))
    return min(max(abs(1.17 - (light / 5) ** 1.4) ** 8, 0), 1)


def refracted(normal, index):
    """A ray straight down, by Snell's law turned in the plane that it spans with the surface's normal."""
    down = np.array([0.0, 0.0, 1.0])
    if down @ normal >= 1 - 1e-3:
        return down
    angle = math.asin(math.sin(math.acos(down @ normal)) / index)
    beside = np.cross(normal, np.cross(down, normal))
    return math.cos(angle) * normal + math.sin(angle) * beside / np.linalg.norm(beside)


def caustic_refraction(image, level, drawn):
    size, out = len(image), image.copy()
    time, scale = 0.5 + 1.5 * drawn[0], (0.75 + 0.5 * drawn[1]) * size
    net = np.array([[caustic(y, x, time, scale) for x in range(size)] for y in range(size)])
    wide = np.pad(gaussian_filter(net, 1), 1)
    padded = np.pad(image, ((size, size), (size, size), (0, 0)))
    for y, x in pixels(size):
        down, right = wide[y + 2, x + 1] - wide[y, x + 1], wide[y + 1, x + 2] - wide[y + 1, x]
        normal = np.array([down, right, 1.0]) / math.hypot(down, right, 1)
        move = np.round(refracted(normal, 4.0) * level * 0.5 * size / 10, 3)
        row, column = y + move[0], x + move[1]
        top, left = math.floor(row), math.floor(column)
        b, r = row - top, column - left
        corners = padded[top + size : top + size + 2, left + size : left + size + 2]
        weights = np.outer([1 - b, b], [1 - r, r])
        light = level * 2 / 10 * (down - right) * 255
        out[y, x] = np.tensordot(weights, corners, ([0, 1], [0, 1])) + light
    return out
