"""How far an accuracy can be trusted: Wilson's interval, and the paired comparison of two models."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.core.interval import quantile, wilson_interval


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share of n with its interval, as :func:`wilson` gives it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """In per cent: ``50.0 % [46.9, 53.1], n = 1000``."""
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n}"


def wilson(successes: int, n: int, confidence: float = 0.95) -> Proportion:
    """A share of n with Wilson's score interval (1927), see ``gossamer.core.interval.wilson_interval``.

    Args:
        successes: 0..n.
        n: at least 1.
        confidence: between 0 and 1.

    Returns:
        p = successes / n with the interval.

    Raises:
        DataError: if the counts are not those of a proportion.

    Example:
        >>> print(wilson(500, 1000))
        50.0 % [46.9, 53.1], n = 1000
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError(f"expected 0 ≤ successes ≤ n and n ≥ 1, got {successes} of {n}; pass counts of images")
    share = successes / n
    low, high = wilson_interval(share, n, confidence)
    return Proportion(value=share, low=low, high=high, n=n)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same images, as :func:`paired` compares them.

    ``difference`` is the accuracy of a minus that of b; ``only_a`` and ``only_b`` count images that one alone has
    right; ``p_value`` is of McNemar's exact test that both counts have the same chance.
    """

    difference: float
    low: float
    high: float
    p_value: float
    only_a: int
    only_b: int
    n: int


def paired(a_right: Tensor, b_right: Tensor, confidence: float = 0.95) -> Comparison:  # (N,), (N,)
    """The difference of two accuracies on the same images, tighter than two intervals side by side.

    Interval: Agresti & Min 2005 (Statistics in Medicine 24:729), Wald's after adding 1/2 to each of the four counts:
    (b' - c')/n' ± z √(b' + c' - (b' - c')²/n')/n' with b' = only_a + 1/2, c' = only_b + 1/2, n' = n + 2.
    Test: McNemar's, exact: the smaller count's binomial tail at 1/2, doubled.

    Args:
        a_right: which images model a has right, bool (N,).
        b_right: the same images of model b.
        confidence: of the interval.

    Returns:
        Difference, interval and p-value.

    Raises:
        DataError: if they are not bools of the same, non-empty shape (N,).

    Example:
        >>> a, b = torch.arange(100) < 90, torch.arange(100) < 80
        >>> found = paired(a, b)
        >>> [round(number, 3) for number in (found.difference, found.low, found.high, found.p_value)]
        [0.1, 0.037, 0.159, 0.002]
    """
    if a_right.shape != b_right.shape or a_right.ndim != 1 or len(a_right) == 0:
        raise DataError(
            f"expected one bool an image of the same images, got {tuple(a_right.shape)} and {tuple(b_right.shape)}; "
            "evaluate both models on the same set"
        )
    if a_right.dtype != torch.bool or b_right.dtype != torch.bool:
        raise DataError(f"expected bools, got {a_right.dtype} and {b_right.dtype}; pass predictions == labels")
    a_right, b_right, n = a_right.cpu(), b_right.cpu(), len(a_right)
    only_a, only_b = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    centre = (only_a - only_b) / (n + 2)
    half = quantile(confidence) * sqrt(only_a + only_b + 1 - (only_a - only_b) ** 2 / (n + 2)) / (n + 2)
    return Comparison(
        difference=(only_a - only_b) / n,
        low=max(centre - half, -1.0),
        high=min(centre + half, 1.0),
        p_value=mcnemar(only_a, only_b),
        only_a=only_a,
        only_b=only_b,
        n=n,
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact two-sided p-value: min(1, 2 P(X ≤ min)), X ~ Binomial(only_a + only_b, 1/2), in whole numbers.

    Example:
        >>> mcnemar(0, 5)
        0.0625

    Returns:
        In (0, 1].
    """
    n, tail, term = only_a + only_b, 0, 1
    for k in range(min(only_a, only_b) + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    return min(1.0, tail / (1 << n) * 2)
