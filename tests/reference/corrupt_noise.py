"""Laws of noise, value by value: probability of each of 256 output levels for one input level."""

import numpy as np
from scipy import stats


def normal(level, std):
    """Of trunc(255 · clip(x + std · n)): the mass of [l, l + 1) / 255, the ends with all that lies beyond."""
    value = level / 255
    law = np.zeros(256)
    for out in range(256):
        low = -np.inf if out == 0 else out / 255
        high = np.inf if out == 255 else (out + 1) / 255
        if std == 0:
            law[out] = out == level
        else:
            law[out] = stats.norm.cdf(high, value, std) - stats.norm.cdf(low, value, std)
    return law


def poisson(level, rate):
    """Of trunc(255 · clip(Poisson(x · rate) / rate)), count by count."""
    law = np.zeros(256)
    counts = range(3000)
    for count, chance in zip(counts, stats.poisson.pmf(counts, level / 255 * rate), strict=True):
        law[int(np.clip(count / rate, 0, 1) * 255)] += chance
    return law


def impulse(level, amount):
    """Kept, or black, or white."""
    law = np.zeros(256)
    law[level] += 1 - amount
    law[0] += amount / 2
    law[255] += amount / 2
    return law
