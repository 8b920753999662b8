"""Gini coefficient and entropy from their definitions, and their means over all masks there are."""

from itertools import combinations
from math import log


def gini(counts: list[int]) -> float:
    pairs = sum(abs(first - second) for first in counts for second in counts)
    return pairs / (2 * len(counts) * sum(counts))


def evenness(counts: list[int]) -> float:
    shares = [count / sum(counts) for count in counts if count]
    return -sum(share * log(share) for share in shares) / log(len(counts))


def over_all_masks(measure, channels: int, size: int, live: int) -> float:
    """The mean of a measure over every choice of ``live`` out of ``channels`` times ``size`` weights."""
    values = []
    for chosen in combinations(range(channels * size), live):
        counts = [0] * channels
        for weight in chosen:
            counts[weight // size] += 1
        values.append(measure(counts))
    return sum(values) / len(values)
