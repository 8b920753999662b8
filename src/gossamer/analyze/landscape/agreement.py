"""Whether networks decide alike: disagreement of their predictions (Fort et al. 2019, arXiv:1912.02757)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gossamer.core.errors import DataError, SettingError

Outputs = Tensor | NDArray[Any]  # class scores (N, C), or predicted labels (N,)


@dataclass(frozen=True, eq=False)
class Disagreement:
    """How often every two of K networks decide differently.

    Args:
        shares: float64 (K, K), symmetric with a diagonal of zeros.
        mean: over the pairs.
        std: over the K (K - 1) / 2 pairs, with one less in the denominator; None for a single pair. Pairs that share
            a network are not independent, so this describes a spread, and is no error of the mean.
        samples: N.
    """

    shares: Tensor = field(repr=False)
    mean: float
    std: float | None
    samples: int

    def rows(self) -> list[dict[str, float]]:
        """A table, a row a pair.

        Returns:
            Numbers of the networks from 0, and their disagreement.
        """
        pairs = combinations(range(len(self.shares)), 2)
        return [{"first": i, "second": j, "disagreement": float(self.shares[i, j])} for i, j in pairs]


def predictions(outputs: Outputs) -> Tensor:
    """The predicted labels of a network.

    Args:
        outputs: class scores (N, C), of which the first of equally large ones counts, or whole-number labels (N,).

    Returns:
        int64 (N,), on the CPU.

    Raises:
        DataError: neither of both, no samples, or scores that are NaN.

    Example:
        >>> predictions(torch.tensor([[0.1, 0.9], [0.5, 0.5]])).tolist()
        [1, 0]
    """
    given = torch.as_tensor(outputs).detach().cpu()
    whole = not given.is_floating_point() and not given.is_complex()
    if given.dim() not in (1, 2) or given.numel() == 0 or (given.dim() == 1) != whole:
        raise DataError(
            f"expected class scores (N, C) as floats, or labels (N,) as whole numbers, got {given.dtype} of shape "
            f"{tuple(given.shape)}"
        )
    if given.isnan().any():
        raise DataError("expected class scores that are numbers, got NaN; the network has diverged")
    return given.long() if whole else given.argmax(1)


def disagreement(first: Outputs, second: Outputs) -> float:
    """Share of samples for which two networks predict different classes (arXiv:2010.03533).

    Args:
        first: class scores (N, C) or labels (N,), tensor or array.
        second: of the same samples in the same order.

    Returns:
        A number in [0, 1]; its interval is ``gossamer.core.interval.wilson_interval(share, N)``.

    Raises:
        DataError: not as many samples, or neither scores nor labels.

    Example:
        >>> disagreement(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0]))
        0.5
    """
    return _differing(*_aligned([first, second]))


def disagreements(outputs: Sequence[Outputs] | Tensor) -> Disagreement:
    """Disagreement of every two of several networks.

    Args:
        outputs: K times class scores (N, C) or labels (N,), of the same samples in the same order.

    Returns:
        All pairs, their mean and standard deviation.

    Raises:
        SettingError: fewer than two networks.
        DataError: not as many samples, or neither scores nor labels.

    Example:
        >>> found = disagreements(torch.tensor([[0, 1, 2, 3], [0, 1, 2, 0], [0, 1, 0, 0]]))
        >>> found.shares.tolist(), round(found.mean, 3), round(found.std, 3)
        ([[0.0, 0.25, 0.5], [0.25, 0.0, 0.25], [0.5, 0.25, 0.0]], 0.333, 0.144)
    """
    if len(outputs) < 2:
        raise SettingError(f"expected two networks or more to compare, got {len(outputs)}")
    labels = _aligned(list(outputs))
    shares = torch.zeros(len(labels), len(labels), dtype=torch.float64)
    for i, j in combinations(range(len(labels)), 2):
        shares[i, j] = shares[j, i] = _differing(labels[i], labels[j])
    pairs = np.array([float(shares[i, j]) for i, j in combinations(range(len(labels)), 2)])
    std = float(pairs.std(ddof=1)) if len(pairs) > 1 else None
    return Disagreement(shares, float(pairs.mean()), std, len(labels[0]))


def independent_disagreement(first: float, second: float, classes: int) -> float:
    """The disagreement of two networks whose errors have nothing to do with one another, for reference.

    1 - a b - (1 - a)(1 - b) / (C - 1): both are right together by chance, and if both err, any of the other classes
    is as likely. Networks that share hard samples disagree less.

    Args:
        first: accuracy a, in [0, 1].
        second: accuracy b, in [0, 1].
        classes: C, at least 2.

    Returns:
        A share in [0, 1].

    Raises:
        SettingError: an accuracy or a number of classes outside its range.

    Example:
        >>> round(independent_disagreement(0.97, 0.97, classes=10), 4)
        0.059
    """
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise SettingError(f"expected accuracies in [0, 1], got {first} and {second}; pass shares, not per cent")
    if classes < 2:
        raise SettingError(f"expected 2 classes or more, got {classes}")
    return 1 - first * second - (1 - first) * (1 - second) / (classes - 1)


def _aligned(outputs: Sequence[Outputs]) -> list[Tensor]:
    labels = [predictions(each) for each in outputs]
    if len({len(each) for each in labels}) > 1:
        raise DataError(
            f"expected predictions of the same samples, got {[len(each) for each in labels]} of them; collect them "
            "with one data set in one order"
        )
    return labels


def _differing(first: Tensor, second: Tensor) -> float:
    return int((first != second).sum()) / len(first)
