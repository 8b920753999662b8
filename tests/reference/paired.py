"""The paired t-interval, by the textbook and by scipy."""

from math import sqrt
from typing import Any

from scipy.stats import t, ttest_rel


def by_hand(sparse: list[float], dense: list[float], confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean, low and high: mean ± t · s / √n, s² = Σ(d - mean)² / (n - 1)."""
    differences = [a - b for a, b in zip(sparse, dense, strict=True)]
    n = len(differences)
    centre = sum(differences) / n
    variance = sum((d - centre) ** 2 for d in differences) / (n - 1)
    half = t.isf((1 - confidence) / 2, n - 1) * sqrt(variance) / sqrt(n)
    return centre, centre - half, centre + half


def by_scipy(sparse: list[float], dense: list[float], confidence: float = 0.95) -> tuple[float, float]:
    interval: Any = ttest_rel(sparse, dense).confidence_interval(confidence)
    return float(interval.low), float(interval.high)
