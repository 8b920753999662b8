"""The kinds of ImageNet-C-bar that add a pattern: Mintun, Kirillov & Xie 2021, arXiv:2102.11273.

Formulas and ranges as in the authors' released generator; its numbers are levels 0..255, and every length is a share
of the image's side n. ``level`` is the authors' severity, a number from 0 to 10.
"""

import math

import torch
from torch import Tensor

from gossamer.corrupt.streams import Streams

CELLS = 7  # lattice cells across the image of Perlin noise: 224 / 32
OCTAVES = (1, 2, 4, 8, 16)


def grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (n, 1) and columns (1, n) of the pixels."""
    along = torch.arange(images.shape[-1], dtype=images.dtype, device=images.device)
    return along[:, None], along[None, :]


def each(drawn: Tensor) -> tuple[Tensor, ...]:
    """The columns of (B, K) as (B, 1, 1), to be used with planes (n, n)."""
    return drawn[:, :, None, None].unbind(1)


def spectral_noise(drawn: Tensor, power: Tensor) -> Tensor:  # (..., n·n // 2), (n, n) -> (..., n, n)
    """Noise of standard deviation 1 with the given centred amplitudes and random phases.

    The authors' phases are the same, not opposite, at mirrored frequencies, and the real part is taken.

    Args:
        drawn: uniform numbers in [0, 1), phases of one half of the plane.
        power: amplitude of each frequency, the zero frequency in the middle.

    Returns:
        The noise of each image.
    """
    size = len(power)
    half = 2 * math.pi * drawn
    middle = half.new_zeros((*half.shape[:-1], size % 2))
    phases = torch.cat([half, middle, half.flip(-1)], -1).view(*half.shape[:-1], size, size)
    spectrum = torch.polar(power.expand_as(phases).contiguous(), phases).roll((size // 2, size // 2), (-2, -1))
    noise: Tensor = torch.fft.ifft2(spectrum).real
    return noise / noise.std((-2, -1), correction=0, keepdim=True)


def distance_from_centre(images: Tensor) -> Tensor:
    """Pixels from the middle n/2 of a side: the frequency of a centred spectrum, (n, n)."""
    rows, columns = grid(images)
    centre = images.shape[-1] / 2
    return torch.hypot(rows - centre, columns - centre)


def brownish_noise(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Add noise of amplitude 1 / (f² + 1) at frequency f, and standard deviation 6.4 · level, to each channel."""
    power = 1 / (distance_from_centre(images).square() + 1)
    noise = spectral_noise(streams.uniform(images.shape[1], power.numel() // 2), power)
    return images + 6.4 * level / 255 * noise


def single_frequency_greyscale(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Add one plane wave of amplitude 19.6 · level, the same in all channels.

    One component of the wave vector is uniform in [-π, π] per pixel, the other uniform within the first one's size;
    which is which is drawn too.

    Returns:
        Images that may leave [0, 1].
    """
    first, second, swapped, phase = each(streams.uniform(4))
    first = math.pi * (2 * first - 1)
    second = first.abs() * (2 * second - 1)
    across, down = torch.where(swapped < 0.5, first, second), torch.where(swapped < 0.5, second, first)
    rows, columns = grid(images)
    wave = torch.sin(columns * across + rows * down + 2 * math.pi * phase)
    return images + 19.6 * level / 255 * wave[:, None]


def cocentric_sine_waves(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Add wavy rings about a random centre, a sawtooth of height 12.8 · level (spelled as published).

    With r and θ about the centre: ((r + a · sin(f θ)) mod w) / w - 1/2; centre uniform in the image, f in [0, 10],
    a and w in [0, n / 10].

    Returns:
        Images that may leave [0, 1].
    """
    size = images.shape[-1]
    down, across, frequency, amplitude, width = each(streams.uniform(5))
    rows, columns = grid(images)
    dy, dx = rows - size * down, columns - size * across
    waves = torch.sin(torch.atan2(dx, dy) * 10 * frequency) * amplitude * size / 10
    width = (1 - width) * size / 10  # never 0
    rings = torch.remainder(torch.hypot(dx, dy) + waves, width) / width - 0.5
    return images + 12.8 * level / 255 * rings[:, None]


def plasma_noise(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, 3, n, n) -> same
    """Mix in a coloured plasma, sines of coordinates that were bent by sines, with weight 6.4 · level / 255.

    Time t in [0, 6π], 4 to 6 bends, sharpness in [0.5, 1], scale in [0.075, 0.2] n.

    Returns:
        Images that may leave [0, 1].
    """
    time, sharpness, scale = each(streams.uniform(3))
    bends = streams.integers(4, 7)[:, None, None]
    time = 6 * math.pi * time
    rows, columns = grid(images)
    scale = (0.075 + 0.125 * scale) * images.shape[-1]
    x, y = _bent(columns / scale, rows / scale, time, bends, 0.5 + 0.5 * sharpness)
    colours = (torch.sin(x - time), torch.sin((x + y + torch.sin(time)) / 2), torch.sin(y + time))
    weight = 6.4 * level / 255
    return (1 - weight) * images + weight * torch.stack(colours, 1)


def _bent(x: Tensor, y: Tensor, time: Tensor, bends: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates after each image's own number of bends; each is finer, later and weaker than the one before."""
    damping = torch.ones_like(sharpness)
    x, y = x.expand(-1, y.shape[1], -1), y.expand(-1, -1, x.shape[2])
    for bend in range(int(bends.max())):
        fineness, lateness = 1.93**bend, time / 1.15**bend
        right, down = torch.cos(y * fineness + lateness) / damping, torch.sin(x * fineness + lateness) / damping
        due = bend < bends
        x, y = torch.where(due, x + right - 0.3 * down, x), torch.where(due, y + down + 0.3 * right, y)
        damping = damping * (2.25 - sharpness)
    return x, y


def perlin_noise(images: Tensor, level: float, streams: Streams) -> Tensor:  # (B, C, n, n) -> same
    """Mix in Perlin's turbulence, Σ |noise(f p)| / f over five octaves f = 1..16, with weight level / 20.

    The lattice of f = 1 has 7 cells a side; its gradients are shared by the octaves, as in Perlin's table: the
    gradient at (i, j) is number p(p(i) + j) of 256, p a random permutation.

    Returns:
        Images that may leave [0, 1].
    """
    size = images.shape[-1]
    ranks, squares = streams.uniform(256), streams.uniform(256, 2) * 2 - 1
    gradients = squares / squares.norm(dim=-1, keepdim=True)
    reach = torch.arange(CELLS * OCTAVES[-1] + 1, device=images.device)
    permutation = ranks.argsort(stable=True, dim=-1)
    numbers = permutation[torch.arange(len(images))[:, None, None], (permutation[:, reach, None] + reach) % 256]
    lattice = gradients.gather(1, numbers.flatten(1)[..., None].expand(-1, -1, 2)).view(*numbers.shape, 2)
    turbulence = torch.stack([_octave(lattice, factor, size).abs() / factor for factor in OCTAVES]).sum(0)
    weight = level / 20
    return (1 - weight) * images + weight * (0.5 * turbulence + 0.5).clamp(0, 1)[:, None]


def _octave(lattice: Tensor, factor: int, size: int) -> Tensor:  # (B, cells, cells, 2) -> (B, n, n)
    """Perlin's gradient noise of one octave, first coordinate down: 1.5 · Σ over corners of fade · (gradient · offset).

    The fades and offsets are the same for every image, and products of a row's and a column's: matrices.

    Returns:
        Between about -1 and 1.
    """
    cells = CELLS * factor + 1
    where = torch.arange(size, dtype=lattice.dtype, device=lattice.device) * factor * CELLS / size
    corner, offset = where.long(), where - where.floor()
    fade = offset.square() * (3 - 2 * offset)
    pixels = torch.arange(size, device=lattice.device)
    fades, offsets = lattice.new_zeros(2, size, cells).unbind(0)
    fades[pixels, corner], fades[pixels, corner + 1] = 1 - fade, fade
    offsets[pixels, corner], offsets[pixels, corner + 1] = (1 - fade) * offset, fade * (offset - 1)
    down, across = lattice[:, :cells, :cells].unbind(-1)
    return 1.5 * (offsets @ down @ fades.T + fades @ across @ offsets.T)
