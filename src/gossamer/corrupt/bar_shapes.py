"""The kinds of ImageNet-C-bar that cover, cut or bend: Mintun, Kirillov & Xie 2021, arXiv:2102.11273.

Formulas and ranges as in the authors' released generator; every length is a share of the image's side n. ``level`` is
the authors' severity, a number from 0 to 10.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from gossamer.corrupt.bar_noise import distance_from_centre, each, grid, spectral_noise
from gossamer.corrupt.filters import gaussian
from gossamer.corrupt.streams import Streams

RAYS = 199  # of a sparkle, at most
FARTHEST = 14  # cell of a checkerboard that a pixel can lie in: √2 n / (n / 10)


def blue_noise_sample(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Keep the pixels where noise of amplitude f at frequency f, of deviation 1, exceeds 0.3 · level - 2.5."""
    power = distance_from_centre(images)
    noise = spectral_noise(streams.uniform(power.numel() // 2), power)
    return images * (noise > 0.3 * level - 2.5)[:, None]


def checkerboard_cutout(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Cover a share level / 10 of the dark fields of a turned checkerboard with grey 128.

    Its fields are 0.1 to 0.25 n wide, at least a pixel; it turns about the first pixel by an angle in [0, 2π].
    Cells are truncated towards zero when they are drawn but not when they are coloured, as the authors do, so that
    fields of both signs share a cell along the axes.

    Returns:
        Images that may leave [0, 1].
    """
    turn, scale = each(streams.uniform(2))
    cells = 2 * FARTHEST + 1
    covered = streams.uniform(cells, cells) < level / 10
    rows, columns = grid(images)
    scale = ((0.1 + 0.15 * scale) * images.shape[-1]).clamp(min=1)
    sine, cosine = torch.sin(2 * math.pi * turn), torch.cos(2 * math.pi * turn)
    down, across = (cosine * rows + sine * columns) / scale, (cosine * columns - sine * rows) / scale
    dark = torch.remainder(down, 2).floor() == torch.remainder(across, 2).floor()
    cell = (down.trunc() + FARTHEST) * cells + across.trunc() + FARTHEST
    drawn = covered.flatten(1).gather(1, cell.long().flatten(1)).view_as(dark)
    return torch.where((dark & drawn)[:, None], 128 / 255, images)


def sparkles(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Five white stars of 50 to 199 rays anywhere in the image, one over the other.

    Rays are normal with mean level · n / 100 and a quarter of it as deviation, at least a pixel long.

    Returns:
        Images that may leave [0, 1].
    """
    size, radius = images.shape[-1], level / 100 * images.shape[-1]
    centres, rays = streams.uniform(5, 2) * size, streams.integers(50, 200, 5)
    lengths = (radius * (1 + 0.25 * streams.normal(5, RAYS))).clamp(min=1)
    for star in range(5):
        light = _star(images, centres[:, star], lengths[:, star], rays[:, star], 1.0)[:, None]
        images = images + light * (1 - images)
    return images


def inverse_sparkles(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """White but for one star of mean radius n / 4 in the middle half, which falls off as r^(-0.26 · level)."""
    size = images.shape[-1]
    centre, rays = (0.25 + 0.5 * streams.uniform(2)) * size, streams.integers(50, 200, 1)[:, 0]
    lengths = size / 4 * (1 + 0.25 * streams.normal(RAYS))
    light = _star(images, centre, lengths, rays, 0.13 * level)[:, None]
    return 1 + light * (images - 1)


def _star(images: Tensor, centre: Tensor, lengths: Tensor, rays: Tensor, exponent: float) -> Tensor:
    """Brightness in [0, 1] of a star, (B, n, n): bright within its ragged edge, brightest in the middle of two rays.

    (ℓ² / (r² + 0.0001))^exponent · (1 - (φ - 1/2)²), clipped; ℓ goes linearly from ray to ray, φ in [0, 1) between.

    Returns:
        The brightness.
    """
    rows, columns = grid(images)
    dy, dx = rows - centre[:, 0, None, None], columns - centre[:, 1, None, None]
    count = rays[:, None, None]
    turn = (torch.atan2(dx, dy) + math.pi) / (2 * math.pi) * count
    ray = turn.floor()
    between = turn - ray
    first = ray.long() % count
    here, there = (lengths.gather(1, one.flatten(1)).view_as(turn) for one in (first, (first + 1) % count))
    falloff = ((here + between * (there - here)).square() / (dy.square() + dx.square() + 1e-4)) ** exponent
    return (falloff * (1 - (between - 0.5).square())).clamp(0, 1)


def caustic_refraction(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """See the image through water with a caustic net: bent by its slopes as by a lens, and lit by them.

    The net is smoothed (σ = 1 pixel); its slopes make the surface's normal; the offset is that of light refracted
    with index 4, times level · n / 20; the light added is level / 5 times the slope down less that to the right.

    Returns:
        Images that may leave [0, 1].
    """
    size = images.shape[-1]
    time, scale = each(streams.uniform(2))
    net = _caustics(images, 0.5 + 1.5 * time, (0.75 + 0.5 * scale) * size)
    down, right = _slopes(gaussian(net, 1.0, mode="reflect"))
    upright = 1 / (down.square() + right.square() + 1).sqrt()  # the normal's third component
    shift = ((1 - (1 - upright.square()) / 16).sqrt() - upright / 4) * upright * level * size / 20
    shift = torch.where(upright >= 1 - 1e-3, 0, shift)  # the authors let light pass where the surface is flat
    seen = _sampled(images, (down * shift).round(decimals=3), (right * shift).round(decimals=3))
    return seen + (level / 5 * (down - right))[:, None]


def _caustics(images: Tensor, time: Tensor, scale: Tensor) -> Tensor:
    """The net of bright lines, (B, n, n) in [0, 1]: light that five waves have gathered."""
    size, (rows, columns) = images.shape[-1], grid(images)
    y, x = (torch.remainder(along / scale, 1) * 6.28318530718 - 250 for along in (rows, columns))
    y, x = y.expand(-1, size, size), x.expand(-1, size, size)
    v, u, light = y, x, torch.ones_like(y)
    for wave in range(1, 6):
        t = time * (1 - 3.5 / wave)
        v, u = y + torch.cos(t - v) + torch.sin(t + u), x + torch.sin(t - u) + torch.cos(t + v)
        light = light + 200 / torch.hypot(y / torch.sin(v + t), x / torch.cos(u + t))
    return (1.17 - (light / 5) ** 1.4).abs().pow(8).clamp(0, 1)


def _slopes(net: Tensor) -> tuple[Tensor, Tensor]:
    """Next minus previous value down and to the right; beyond the edge is 0."""
    wide = torch.nn.functional.pad(net, (1, 1, 1, 1))
    return wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1], wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]


def _sampled(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Values at each pixel plus its offset, linear between pixels; beyond the edge is 0."""
    rows, columns = grid(images)
    where = torch.stack([columns + right, rows + down], -1) * (2 / max(1, images.shape[-1] - 1)) - 1
    return grid_sample(images, where, mode="bilinear", padding_mode="zeros", align_corners=True)
