"""The hard subset: the share of a training set with the largest scores."""

import math

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError
from gossamer.hardness.arrays import Array, as_tensor
from gossamer.hardness.check import check_labels


def hardest(  # (N,) -> (round(keep·N),)
    scores: Array, keep: float, *, labels: Array | None = None, per_class: bool = False, drop: float = 0.0
) -> Tensor:
    """The indices of the hardest samples: exactly ``round(keep * N)`` of them; of equal scores the first are harder.

    Args:
        scores: hardness of each sample, larger is harder, (N,); infinity is allowed (never learned), NaN is not.
        keep: share of all N samples to keep, in (0, 1]: the data ratio of arXiv:2409.09196.
        labels: class of each sample, whole numbers from 0, (N,); needed for `per_class` only.
        per_class: keep (and drop) the same share of each class, so that the class balance stays; the classes with the
            largest remainders get one more until the total is exact, of equal remainders the first classes.
            Over all classes together (the default, as in that paper) the hard subset may be unbalanced.
        drop: share of all N samples, in [0, 1 - keep], the very hardest, that are left out first: among them are the
            mislabelled ones, and Paul et al. (2021, arXiv:2107.07075) leave out a few per cent. ``round(drop * N)``
            are left out, fewer where rounding would leave too few to keep; the next hardest are kept.

    Returns:
        int64, ascending.

    Raises:
        SettingError: if `keep` or `drop` is outside its range, `keep` leaves no sample, or `per_class` has no labels.
        DataError: if a score is NaN or shapes or labels do not fit.

    Example:
        >>> hardest(torch.tensor([0.1, 0.9, 0.9, 0.5]), keep=0.5)
        tensor([1, 2])
        >>> hardest(torch.tensor([0.1, 0.9, 0.9, 0.5]), keep=0.5, drop=0.25)
        tensor([2, 3])
        >>> hardest(torch.tensor([0.1, 0.9, 0.9, 0.5]), keep=0.5, labels=torch.tensor([0, 0, 1, 0]), per_class=True)
        tensor([1, 3])
    """
    scores = as_tensor(scores, "scores")
    _check(scores, keep, drop)
    kept, dropped = round(keep * len(scores)), round(drop * len(scores))
    if not per_class:
        return _next_hardest(scores, kept, dropped).sort().values
    if labels is None:
        raise SettingError("hardest: per_class=True needs the labels; pass labels=, or leave out per_class")
    labels = as_tensor(labels, "labels")
    if labels.shape != scores.shape:
        raise DataError(
            f"hardest: expected as many labels as scores, got {tuple(labels.shape)} and {tuple(scores.shape)}"
        )
    check_labels(labels, torch.iinfo(torch.int64).max)
    groups = [(labels == label).nonzero().flatten() for label in torch.unique(labels)]
    keeps = _largest_remainder([keep * len(group) for group in groups], kept)
    drops = _largest_remainder([drop * len(group) for group in groups], dropped)
    chosen = [
        group[_next_hardest(scores[group], share, left_out)]
        for group, share, left_out in zip(groups, keeps, drops, strict=True)
    ]
    return torch.cat(chosen).sort().values


def _next_hardest(scores: Tensor, kept: int, dropped: int) -> Tensor:
    first = min(dropped, len(scores) - kept)
    return torch.argsort(scores, descending=True, stable=True)[first : first + kept]


def _largest_remainder(wanted: list[float], total: int) -> list[int]:
    """Whole numbers near `wanted` that sum to `total`."""
    wanted = [round(number, 9) for number in wanted]  # .29 * 50 is 14.499999999999998, no tie with 43.5
    given = [math.floor(number) for number in wanted]
    order = sorted(range(len(wanted)), key=lambda index: given[index] - wanted[index])
    for index in order[: total - sum(given)]:
        given[index] += 1
    return given


def _check(scores: Tensor, keep: float, drop: float) -> None:
    if not 0 < keep <= 1:
        raise SettingError(f"hardest: expected keep in (0, 1], the share of samples to keep, got {keep}")
    if not (drop >= 0 and drop + keep <= 1 + 1e-9):  # .7 + .2 + .1 is not 1 in every order
        raise SettingError(
            f"hardest: expected drop in [0, 1 - keep], the share of the very hardest to leave out, got drop={drop} "
            f"and keep={keep}; both are shares of all samples"
        )
    if scores.ndim != 1 or len(scores) == 0:
        raise DataError(f"hardest: expected scores (N,), one a sample, got shape {tuple(scores.shape)}")
    if bad := int(scores.isnan().sum()):
        raise DataError(f"hardest: {bad} of {len(scores)} scores are NaN; the model that scored them has diverged")
    if round(keep * len(scores)) == 0:
        raise SettingError(f"hardest: keep={keep} of {len(scores)} samples leaves none; raise keep or use more samples")
