"""Pictures of ice on a window, made of numbers: for frost where its photographs are absent.

Feathered crystals around random seeds, over clouds and fine grain. Means and spreads of the five pictures are those
of the five photographs of Hendrycks & Dietterich, since these two decide by how much frost changes an image.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH = 384, 576  # pixels; the photographs have 315 x 560 to 600 x 900


@dataclass(frozen=True)
class Ice:
    """What a picture of ice looks like.

    Args:
        colour: mean level of red, green and blue, as measured on 400 random pieces of 224 pixels of a photograph.
        spread: standard deviation of the levels, the same way.
        crystals: how many seeds; few are large.
        feather: share of the crystals' barbs in the picture.
        cloud: share of the large, soft forms; the rest is fine grain.
    """

    colour: tuple[int, int, int]
    spread: tuple[int, int, int]
    crystals: int
    feather: float
    cloud: float


KINDS = (
    Ice((77, 148, 165), (28, 17, 15), 40, 0.3, 0.6),
    Ice((198, 202, 211), (20, 21, 22), 120, 0.6, 0.2),
    Ice((198, 202, 211), (20, 21, 22), 160, 0.6, 0.2),  # the second and third photographs are one
    Ice((145, 160, 173), (27, 27, 28), 300, 0.5, 0.25),
    Ice((100, 111, 123), (38, 37, 36), 200, 0.65, 0.25),
)


@lru_cache(maxsize=1)
def pictures() -> tuple[Array, ...]:
    """The five pictures; always the same.

    Returns:
        uint8 (3, 384, 576) each: red, green, blue.

    Example:
        >>> [picture.shape for picture in pictures()][:2]
        [(3, 384, 576), (3, 384, 576)]
    """
    return tuple(_painted(ice, np.random.default_rng(number)) for number, ice in enumerate(KINDS))


def _painted(ice: Ice, draw: np.random.Generator) -> Array:
    grain = 1 - ice.feather - ice.cloud
    parts = ((ice.feather, feathers(ice.crystals, draw)), (ice.cloud, noise(1.8, draw)), (grain, noise(0.6, draw)))
    light = _standard(np.sum([np.sqrt(share) * _standard(part) for share, part in parts], axis=0))
    soft = 2 * np.tanh(light / 2)  # no value further than 2 standard deviations from the mean: few are clipped
    levels = np.multiply.outer(ice.spread, _standard(soft)) + np.reshape(ice.colour, (3, 1, 1))
    picture: Array = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    return picture


def noise(exponent: float, draw: np.random.Generator) -> Array:
    """Clouds: normal noise whose amplitude falls with frequency as f^-exponent; larger is smoother.

    Args:
        exponent: 0 is white.
        draw: of the noise.

    Returns:
        (384, 576), mean 0.
    """
    rows, columns = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    return np.fft.irfft2(np.fft.rfft2(draw.standard_normal((HEIGHT, WIDTH))) * frequency**-exponent)


def feathers(count: int, draw: np.random.Generator) -> Array:
    """Crystals: around each of ``count`` seeds barbs leave a bright stem at 60°, up to where the next crystal begins.

    Args:
        count: of seeds.
        draw: of their places and directions.

    Returns:
        (384, 576), from about 0 to 2.
    """
    from scipy.spatial import cKDTree

    seeds = draw.random((count, 2)) * (HEIGHT, WIDTH)
    directions, phases = draw.random(count) * np.pi, draw.random(count)
    bends = 5 * np.stack((_standard(noise(1.9, draw)), _standard(noise(1.9, draw))), -1)  # no line is quite straight
    pixels = np.moveaxis(np.indices((HEIGHT, WIDTH)), 0, -1) + bends
    distance, own = map(np.asarray, cKDTree(seeds).query(pixels, k=2))
    edge = np.clip((distance[..., 1] - distance[..., 0]) / 8, 0, 1)  # fades where two crystals meet
    own = own[..., 0]
    down, right = np.moveaxis(pixels - seeds[own], -1, 0)
    sine, cosine = np.sin(directions[own]), np.cos(directions[own])
    along, across = down * sine + right * cosine, np.abs(down * cosine - right * sine)
    barbs = (across * np.sqrt(3) - np.abs(along)) / 7 + phases[own]  # 7 pixels from barb to barb
    light = np.abs(2 * (barbs % 1) - 1) ** 2 * (0.4 + np.exp(-across / 12)) + np.exp(-across / 2)
    crystals: Array = light * edge * (0.4 + draw.random(count)[own])
    return crystals


def _standard(values: Array) -> Array:
    """Shifted and scaled to mean 0 and standard deviation 1."""
    standard: Array = (values - values.mean()) / values.std()
    return standard
