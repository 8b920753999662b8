"""What the scores of logits share: checks, and one pass over models, epochs and blocks of samples."""

from collections.abc import Callable

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.hardness.arrays import Array, as_tensor

BLOCK = 2**21  # numbers in float64 at a time: 16 MB, so that ImageNet's 1.28 million rows need no 10 GB copy

Rows = Callable[[Tensor, Tensor], Tensor]


def as_models(score: str, logits: Array, labels: Array) -> Tensor:
    """Logits of one or several models as (K, N, C), checked.

    Args:
        score: who asks, for the messages.
        logits: (N, C) or (K, N, C).
        labels: (N,).

    Returns:
        A view, (K, N, C).

    Raises:
        DataError: on shapes that do not fit, labels outside 0..C - 1, or logits that are not finite.

    Example:
        >>> as_models("el2n", torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])).shape
        torch.Size([1, 4, 3])
    """
    logits, labels = as_tensor(logits, "logits"), as_tensor(labels, "labels")
    models = logits.unsqueeze(0) if logits.ndim == 2 else logits
    if models.ndim != 3 or not _fits(models, labels):
        raise DataError(
            f"{score}: expected logits (N, C) or (K, N, C) and labels (N,), none empty, "
            f"got {tuple(models.shape)} (models first) and {tuple(labels.shape)}"
        )
    _check_numbers(score, models.unsqueeze(1), labels)
    return models


def as_runs(score: str, logits: Array, labels: Array, epochs: int = 1) -> Tensor:
    """Logits of one or several runs as (K, E, N, C), checked.

    Args:
        score: who asks, for the messages.
        logits: (E, N, C) or (K, E, N, C).
        labels: (N,).
        epochs: how many are needed at least.

    Returns:
        A view, (K, E, N, C).

    Raises:
        DataError: as ``as_models``, or on too few epochs.

    Example:
        >>> as_runs("aum", torch.zeros(5, 4, 3), torch.tensor([0, 1, 2, 0])).shape
        torch.Size([1, 5, 4, 3])
    """
    logits, labels = as_tensor(logits, "logits"), as_tensor(labels, "labels")
    runs = logits.unsqueeze(0) if logits.ndim == 3 else logits
    if runs.ndim != 4 or not _fits(runs, labels):
        raise DataError(
            f"{score}: expected logits (E, N, C) of one run or (K, E, N, C) of K runs and labels (N,), none empty, "
            f"got {tuple(runs.shape)} (runs first) and {tuple(labels.shape)}"
        )
    if runs.shape[1] < epochs:
        raise DataError(
            f"{score}: expected at least {epochs} epochs, got {runs.shape[1]}; record the logits each epoch"
        )
    _check_numbers(score, runs, labels)
    return runs


def each(logits: Tensor, labels: Array, rows: Rows) -> Tensor:
    """A function of each sample's logits, in float64, block by block: the memory of one block besides the result.

    Args:
        logits: (..., N, C).
        labels: (N,).
        rows: takes float64 logits (B, C) and int64 labels (B,), gives (B,).

    Returns:
        What it gave, (..., N).

    Example:
        >>> each(torch.eye(2), torch.tensor([0, 0]), lambda logits, labels: logits[:, 0])
        tensor([1., 0.], dtype=torch.float64)
    """
    length = max(1, BLOCK // logits.shape[-1])
    blocks = torch.split(as_tensor(labels, "labels").to(logits.device, torch.int64), length)
    flat = logits.detach().reshape(-1, *logits.shape[-2:])
    values = [
        torch.cat([rows(part.double(), block) for part, block in zip(torch.split(model, length), blocks, strict=True)])
        for model in flat
    ]
    return torch.stack(values).view(logits.shape[:-1])


def wrong_probabilities(logits: Tensor, labels: Tensor) -> Tensor:  # (N, C), (N,) -> (N, C)
    """The softmax with 0 at the true class: sums over it keep the digits that 1 - p_y loses.

    Args:
        logits: (N, C).
        labels: (N,).

    Returns:
        (N, C).

    Example:
        >>> wrong_probabilities(torch.zeros(1, 4), torch.tensor([2]))
        tensor([[0.2500, 0.2500, 0.0000, 0.2500]])
    """
    return torch.softmax(logits, dim=1).scatter(1, labels.unsqueeze(1), 0.0)


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Check that labels are whole numbers in 0..num_classes - 1.

    Args:
        labels: (N,).
        num_classes: the number of classes.

    Raises:
        DataError: if one is not.

    Example:
        >>> check_labels(torch.tensor([0, 2]), num_classes=3)
    """
    check_whole(labels, "labels")
    outside = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(outside):
        first = int(outside[0])
        raise DataError(
            f"label {int(labels[first])} at index {first} is outside 0..{num_classes - 1} "
            f"({len(outside)} such labels); the logits and the labels are of different data sets"
        )


def check_whole(numbers: Tensor, what: str) -> None:
    """Check that a tensor is of whole numbers.

    Args:
        numbers: of any shape.
        what: they are, for the message.

    Raises:
        DataError: if it is not.

    Example:
        >>> check_whole(torch.tensor([0, 2]), "labels")
    """
    if numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool:
        raise DataError(f"expected whole numbers as {what}, got {numbers.dtype}; convert them by .long()")


def _fits(logits: Tensor, labels: Tensor) -> bool:
    return 0 not in logits.shape and labels.shape == logits.shape[-2:-1]


def _check_numbers(score: str, runs: Tensor, labels: Tensor) -> None:
    if runs.shape[-1] < 2:
        raise DataError(
            f"{score}: expected at least 2 classes, got 1; give a single output z of a binary network as the logits "
            "(0, z): torch.cat([torch.zeros_like(z), z], dim=-1)"
        )
    if not runs.is_floating_point():
        raise DataError(f"{score}: expected logits as floating-point numbers, got {runs.dtype}; predictions do not do")
    check_labels(labels, runs.shape[-1])
    for run, epochs in enumerate(runs):
        for epoch, logits in enumerate(epochs):
            if bad := int((~logits.isfinite()).any(1).sum()):
                place = f"model {run}" if len(epochs) == 1 else f"model {run}, epoch {epoch}"
                raise DataError(
                    f"{score}: {bad} samples have logits that are not finite ({place}); "
                    "the model has diverged: score an earlier epoch or lower the learning rate"
                )
