"""Several attempts at a batch, each at the samples that are still unbroken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from gossamer.attack.ball import Source

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Rows = TypeVar("Rows", bound="DataclassInstance")


@dataclass(frozen=True)
class Outcome:
    """What one attempt found.

    Args:
        images: (n, C, H, W).
        scores: how good each is, larger is better, (n,).
        done: True where no further attempt is needed, (n,).
    """

    images: Tensor
    scores: Tensor
    done: Tensor


def best_of(attempts: Iterable[Callable[[Tensor], Outcome]], images: Tensor, pending: Tensor) -> Tensor:
    """The best images over several attempts, each of which is given the indices of the samples that are not done.

    Args:
        attempts: indices (n,) -> outcome.
        images: what comes back for samples that no attempt is given, (B, C, H, W).
        pending: indices of the samples to work on, (n,).

    Returns:
        (B, C, H, W).
    """
    best = images.clone()
    scores = torch.full_like(images[:, 0, 0, 0], -torch.inf)
    for attempt in attempts:
        if not len(pending):
            break
        outcome = attempt(pending)
        better = outcome.done | (outcome.scores > scores[pending])
        best[pending[better]] = outcome.images[better]
        scores[pending[better]] = outcome.scores[better]
        pending = pending[~outcome.done]
    return best


def take(rows: Rows, which: Tensor) -> Rows:
    """Some rows of a dataclass that holds tensors (n, ...).

    Args:
        rows: the dataclass.
        which: indices or a mask, (n,).

    Returns:
        The same kind of dataclass.
    """
    return replace(rows, **{field.name: getattr(rows, field.name)[which] for field in fields(rows)})


def take_source(source: Source, which: Tensor) -> Source:
    """The generators of some samples, where each has its own.

    Args:
        source: a generator, or one for each of n images.
        which: indices, (m,).

    Returns:
        The generator, or one for each of m images.
    """
    return source if isinstance(source, torch.Generator) else [source[row] for row in which.tolist()]


def rivals(logits: Tensor, labels: Tensor, count: int) -> Tensor:
    """The classes other than the label, those with the largest logits first.

    Args:
        logits: (B, classes).
        labels: (B,).
        count: how many; where there are fewer, all of them.

    Returns:
        (min(count, classes - 1), B).

    Example:
        >>> rivals(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]), 9)
        tensor([[2],
                [1]])
    """
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    return others.topk(min(count, logits.shape[1] - 1), dim=1).indices.T
