"""Do two scores, or two seeds, agree on what is hard?"""

from collections.abc import Mapping

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.hardness.arrays import Array, as_tensor


def rank_correlation(first: Array, second: Array) -> float:  # (N,), (N,) -> a number in [-1, 1]
    """Spearman's rank correlation, equal scores sharing their mean rank.

    Args:
        first: hardness of each sample; infinities are allowed and equal to one another.
        second: another, of the same samples.

    Returns:
        In [-1, 1]; NaN where all values of one are equal, as they rank nothing.

    Raises:
        DataError: on shapes that do not fit, fewer than 2 samples, or NaN.

    Example:
        >>> rank_correlation(torch.tensor([1.0, 2.0, torch.inf]), torch.tensor([0.0, 10.0, 11.0]))
        1.0
    """
    return float(rank_correlations({"first": first, "second": second})[0, 1])


def rank_correlations(scores: Mapping[str, Array]) -> Tensor:  # S times (N,) -> (S, S)
    """Spearman's rank correlation of every score with every other.

    Args:
        scores: hardness of the same samples by name, such as ``{"seed 0": ..., "seed 1": ...}``; infinities are
            allowed and equal to one another.

    Returns:
        float64 (S, S), symmetric, rows and columns in the order of the names; NaN in the row and the column of a
        score whose values are all equal, also on the diagonal.

    Raises:
        DataError: on no scores, shapes that do not fit, fewer than 2 samples, or NaN.

    Example:
        >>> rank_correlations({"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor([3.0, 2.0, 1.0])})
        tensor([[ 1., -1.],
                [-1.,  1.]], dtype=torch.float64)
    """
    given = {name: as_tensor(values, name) for name, values in scores.items()}
    _check(given)
    ranks = torch.stack([_ranks(values.detach().cpu()) for values in given.values()])
    centred = ranks - ranks.mean(1, keepdim=True)
    products = centred @ centred.T
    squares = products.diagonal()
    table = products / squares.outer(squares).sqrt()  # √(x·x) is x, so that the diagonal is exactly 1
    return ((table + table.T) / 2).clamp(-1, 1)


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = counts.cumsum(0) - (counts.double() - 1) / 2
    return ranks[place]


def _check(scores: Mapping[str, Tensor]) -> None:
    if not scores:
        raise DataError("expected at least one score to correlate, got none")
    shape = next(iter(scores.values())).shape
    for name, values in scores.items():
        if values.ndim != 1 or len(values) < 2 or values.shape != shape:
            raise DataError(
                f"expected scores (N,) of the same N ≥ 2 samples, got {tuple(values.shape)} for {name!r} "
                f"beside {tuple(shape)}"
            )
        if bad := int(values.isnan().sum()):
            raise DataError(
                f"{bad} of {len(values)} values of {name!r} are NaN; the model that scored them has diverged"
            )
