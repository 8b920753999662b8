"""Noise: every value of an image for itself, drawn from the exact law of its truncated level."""

from functools import lru_cache
from math import ceil

import torch
from torch import Tensor

from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.laws import LEVELS, alias, draw
from gossamer.corrupt.streams import Streams


def gaussian_noise(levels: Tensor, std: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Add normal noise of standard deviation ``std`` (of an image in [0, 1]) to every value."""
    return draw(levels, _gaussian(std), streams)


def shot_noise(levels: Tensor, rate: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Photon counts: Poisson(x · rate) / rate for every value x."""
    return draw(levels, _shot(rate), streams)


def impulse_noise(levels: Tensor, amount: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Salt and pepper: a share ``amount`` of the values, channels for themselves, is replaced by 0 or 1 alike."""
    return draw(levels, _impulse(amount), streams)


def speckle_noise(levels: Tensor, std: float, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Noise that grows with the light: x + x · n for every value x, n normal of standard deviation ``std``."""
    return draw(levels, _speckle(std), streams)


@lru_cache(maxsize=32)
def _gaussian(std: float) -> Tensor:
    return alias(normal_law(torch.full((LEVELS,), std, dtype=torch.float64)))


@lru_cache(maxsize=32)
def _speckle(std: float) -> Tensor:
    return alias(normal_law(std * _values()))


@lru_cache(maxsize=32)
def _shot(rate: float) -> Tensor:
    return alias(poisson_law(rate))


@lru_cache(maxsize=32)
def _impulse(amount: float) -> Tensor:
    return alias(impulse_law(amount))


def _values() -> Tensor:
    return torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)


def normal_law(std: Tensor) -> Tensor:  # (256,) -> (256, 256)
    """Law of the level of x + std · n: truncated, so level l is [l, l + 1) / 255; black and white take what is beyond.

    Args:
        std: float64, of each input level; 0 is no noise.

    Returns:
        Probability of each output level (column) for each input level (row).
    """
    edges = torch.arange(1, LEVELS, dtype=torch.float64) / (LEVELS - 1)  # between levels l - 1 and l
    away = edges - _values()[:, None]
    # a value on the edge belongs to the level above: without noise every level stays what it is
    below = torch.where(std[:, None] > 0, torch.special.ndtr(away / std[:, None]), (away > 0).to(std.dtype))
    ends = torch.zeros(LEVELS, 1, dtype=torch.float64)
    return torch.cat([ends, below, ends + 1], dim=1).diff(dim=1)


def poisson_law(rate: float) -> Tensor:  # -> (256, 256)
    """Law of the level of Poisson(x · rate) / rate, clipped at 1 and truncated.

    Args:
        rate: photons of a white value.

    Returns:
        Probability of each output level (column) for each input level (row).
    """
    counts = torch.arange(ceil(rate), dtype=torch.float64)  # rate photons and more are white
    mean = (_values() * rate)[:, None]
    chance = torch.exp(torch.xlogy(counts, mean) - mean - torch.lgamma(counts + 1))
    levels = (counts / rate * (LEVELS - 1)).to(torch.int64).expand(LEVELS, -1)
    law = torch.zeros(LEVELS, LEVELS, dtype=torch.float64).scatter_add_(1, levels, chance)
    law[:, -1] += (1 - chance.sum(dim=1)).clamp(min=0)
    return law


def impulse_law(amount: float) -> Tensor:  # -> (256, 256)
    """Law of a value that is kept with probability 1 - amount and is else black or white.

    Args:
        amount: share of changed values.

    Returns:
        Probability of each output level (column) for each input level (row).
    """
    law = torch.eye(LEVELS, dtype=torch.float64) * (1 - amount)
    law[:, 0] += amount / 2
    law[:, -1] += amount / 2
    return law


NOISE = {
    "gaussian_noise": Corruption(
        gaussian_noise,
        by_family(
            cifar=(0.04, 0.06, 0.08, 0.09, 0.10),
            tiny=(0.04, 0.08, 0.12, 0.15, 0.18),
            imagenet=(0.08, 0.12, 0.18, 0.26, 0.38),
        ),
        "noise",
        levels=True,
    ),
    "shot_noise": Corruption(
        shot_noise,
        by_family(cifar=(500, 250, 100, 75, 50), tiny=(250, 100, 50, 30, 15), imagenet=(60, 25, 12, 5, 3)),
        "noise",
        levels=True,
        bounds=((1, None),),
    ),
    "impulse_noise": Corruption(
        impulse_noise,
        by_family(
            cifar=(0.01, 0.02, 0.03, 0.05, 0.07),
            tiny=(0.01, 0.02, 0.05, 0.08, 0.14),
            imagenet=(0.03, 0.06, 0.09, 0.17, 0.27),
        ),
        "noise",
        levels=True,
        bounds=((None, 1.0),),
    ),
}
SPECKLE = Corruption(
    speckle_noise,
    by_family(
        cifar=(0.06, 0.10, 0.12, 0.16, 0.20),
        tiny=(0.15, 0.20, 0.25, 0.30, 0.35),
        imagenet=(0.15, 0.20, 0.35, 0.45, 0.60),
    ),
    "extra",
    levels=True,
)
