"""How unevenly weights are spread over channels, and how unevenly chance alone would spread them."""

import math

import torch
from torch import Tensor


def gini(counts: Tensor) -> float:
    """The Gini coefficient of live weights over channels: Σᵢⱼ |xᵢ - xⱼ| / (2 n Σᵢ xᵢ).

    Args:
        counts: live weights of each of n channels, (n,), 0 or more.

    Returns:
        0 where all have as many, up to 1 - 1/n where one has all; nan where there are none.

    Example:
        >>> gini(torch.tensor([2, 2, 2])), gini(torch.tensor([0, 0, 0, 5]))
        (0.0, 0.75)
    """
    rising = counts.double().sort().values
    total, channels = float(rising.sum()), len(rising)
    if total == 0:
        return math.nan
    ranks = 2 * torch.arange(1, channels + 1, dtype=torch.float64) - channels - 1
    return float((ranks * rising.cpu()).sum()) / (channels * total)


def evenness(counts: Tensor) -> float:
    """The normalised entropy of live weights over channels: -Σᵢ pᵢ log pᵢ / log n, pᵢ = xᵢ / Σ x.

    Args:
        counts: live weights of each of n channels, (n,), 0 or more.

    Returns:
        1 where all have as many, 0 where one has all; 1 for a single channel, nan where there are no weights.

    Example:
        >>> evenness(torch.tensor([2, 2])), evenness(torch.tensor([0, 5])), evenness(torch.tensor([1, 1, 0, 0]))
        (1.0, 0.0, 0.5)
    """
    total = float(counts.sum())
    if total == 0:
        return math.nan
    if len(counts) == 1:
        return 1.0
    share = counts.double() / total
    return float(-torch.xlogy(share, share).sum()) / math.log(len(counts)) + 0.0  # never -0.0


def expected_gini(channels: int, size: int, live: int) -> float:
    """The mean Gini coefficient of random masks: ``live`` weights drawn without replacement, exactly.

    The number Σ x is given, so that the mean is (n - 1) E|x₁ - x₂| / (2 Σ x) of any two channels. Together they have
    s weights, hypergeometric; of these x₁ are in the first, hypergeometric again, and E|2 x₁ - s| is known in closed
    form (de Moivre's mean deviation, for the hypergeometric: 2 t (m - s + t) P(x₁ = t) / m at t = ⌊s/2⌋ + 1).

    Args:
        channels: n.
        size: weights of each channel, dead or alive, m.
        live: weights that are alive, Σ x.

    Returns:
        In [0, 1); nan where there are none.

    Example:
        >>> expected_gini(2, 1, 1), expected_gini(4, 9, 36), round(expected_gini(64, 288, 1843), 3)
        (0.5, 0.0, 0.098)
    """
    if live == 0:
        return math.nan
    if channels == 1:
        return 0.0
    s = torch.arange(min(2 * size, live) + 1, dtype=torch.float64)
    t = (s / 2).floor() + 1
    at_t = (_log_choose(size, t) + _log_choose(size, s - t) - _log_choose(2 * size, s)).exp()
    difference = 2 * t * (size - s + t) * at_t / size
    likely = _hypergeometric(s, channels * size, 2 * size, live)
    return float((likely * difference).sum()) * (channels - 1) / (2 * live)


def expected_evenness(channels: int, size: int, live: int) -> float:
    """The mean normalised entropy of random masks: ``live`` weights drawn without replacement, exactly.

    Args:
        channels: n.
        size: weights of each channel, dead or alive.
        live: weights that are alive.

    Returns:
        In [0, 1]; nan where there are none.

    Example:
        >>> expected_evenness(2, 1, 1), expected_evenness(4, 9, 36)
        (0.0, 1.0)
    """
    if live == 0:
        return math.nan
    if channels == 1:
        return 1.0
    own = torch.arange(min(size, live) + 1, dtype=torch.float64)
    share = own / live
    mean = float((_hypergeometric(own, channels * size, size, live) * torch.xlogy(share, share)).sum())
    return -channels * mean / math.log(channels) + 0.0


def _hypergeometric(hits: Tensor, population: int, good: int, draws: int) -> Tensor:
    """The probability of each number of hits."""
    log = _log_choose(good, hits) + _log_choose(population - good, draws - hits)
    return (log - _log_choose(population, torch.tensor(float(draws), dtype=torch.float64))).exp()


def _log_choose(n: int, k: Tensor) -> Tensor:
    """Of whole numbers; minus infinity outside of 0 ≤ k ≤ n, where the gamma function has its poles."""
    whole = torch.tensor(n + 1.0, dtype=torch.float64)
    return torch.lgamma(whole) - torch.lgamma(k + 1) - torch.lgamma(whole - k)
