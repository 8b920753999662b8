"""EL2N, the error norm of a sample."""

from collections.abc import Iterable

import torch
from torch import Tensor

from gossamer.core.errors import DataError


def el2n(logits: Tensor, labels: Tensor, *, squared: bool = False) -> Tensor:  # (N, C) or (K, N, C), (N,) -> (N,)
    """EL2N (Paul et al. 2021, arXiv:2107.07075, Definition 3.1): the norm of the error vector, larger is harder.

    E‖softmax(f(x)) - y‖₂, y one-hot: 0 for a sample that is certainly right, √2 for one that is certainly wrong.
    The expectation is over independently trained models; the authors average 10, early in training
    (epochs 10 to 20 on CIFAR), and score without augmentation. Mislabelled samples score high too.

    Args:
        logits: outputs before the softmax; (N, C) of one model or (K, N, C) of K models, whose norms are averaged.
        labels: whole numbers 0..C - 1, (N,).
        squared: average squared norms, range [0, 2], as the code of arXiv:2409.09196 does;
            the ranking is the same for one model and may differ for several.

    Returns:
        float64 (N,), in [0, √2].

    Raises:
        DataError: on shapes that do not fit, labels outside 0..C - 1, or logits that are not finite.

    Example:
        >>> el2n(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.tensor([0, 0])).round(decimals=2)
        tensor([0.0000, 1.4100], dtype=torch.float64)
    """
    models = logits if logits.ndim == 3 else logits.unsqueeze(0)
    _check(models, labels)
    errors = [_squared_error(model, labels) for model in models]  # one at a time: K models need the memory of one
    return torch.stack(errors if squared else [error.sqrt() for error in errors]).mean(0)


def _squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """‖p - y‖² as Σ p_j² + (Σ p_j)² over the wrong classes j: 1 - p_y would lose all digits of a small error."""
    wrong = torch.softmax(logits.double(), dim=1).scatter(1, labels.long().unsqueeze(1), 0.0)
    return wrong.square().sum(1) + wrong.sum(1).square()


def _check(models: Tensor, labels: Tensor) -> None:
    if models.ndim != 3 or 0 in models.shape or labels.shape != models.shape[1:2]:
        raise DataError(
            f"el2n: expected logits (N, C) or (K, N, C) and labels (N,), none empty, "
            f"got {tuple(models.shape)} (models first) and {tuple(labels.shape)}"
        )
    check_labels(labels, models.shape[2])
    for name, bad in _not_finite(models):
        raise DataError(
            f"el2n: {bad} samples have logits that are not finite ({name}); "
            "the model has diverged: score an earlier epoch or lower the learning rate"
        )


def _not_finite(models: Tensor) -> Iterable[tuple[str, int]]:
    for number, model in enumerate(models):
        if bad := int((~model.isfinite()).any(1).sum()):
            yield f"model {number}", bad


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Check that labels are whole numbers in 0..num_classes - 1.

    Args:
        labels: (N,).
        num_classes: the number of classes.

    Raises:
        DataError: if one is not.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"expected whole numbers as labels, got {labels.dtype}; convert them by .long()")
    outside = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(outside):
        first = int(outside[0])
        raise DataError(
            f"label {int(labels[first])} at index {first} is outside 0..{num_classes - 1} "
            f"({len(outside)} such labels); the logits and the labels are of different data sets"
        )
