"""How high the loss rises between two networks."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gossamer.analyze.landscape.path import Path
from gossamer.core.errors import DataError

NEAR = 1e-6  # a float32 linspace misses 0 and 1 by less


@dataclass(frozen=True)
class Barrier:
    """What lies between the ends of a path, over its points with α in [0, 1].

    Attributes:
        loss: the barrier height, max of L(α) - ((1 - α) L(0) + α L(1)), at least 0. Frankle et al. 2020
            (arXiv:1912.05671) take off the mean of both ends; where their losses differ, a descent without any rise
            would then count as a barrier.
        loss_alpha: where that is.
        highest_loss: max of L(α).
        highest_alpha: where that is.
        accuracy: max of (1 - α) A(0) + α A(1) - A(α), at least 0; None where no accuracy was measured.
        accuracy_alpha: where that is.
        lowest_accuracy: min of A(α).
    """

    loss: float
    loss_alpha: float
    highest_loss: float
    highest_alpha: float
    accuracy: float | None = None
    accuracy_alpha: float | None = None
    lowest_accuracy: float | None = None

    def as_dict(self) -> dict[str, float]:
        """A row of a table; what was not measured is left out.

        Returns:
            Plain numbers by column.
        """
        return {name: value for name, value in asdict(self).items() if value is not None}


def barrier(path: Path, *, test: bool = False) -> Barrier:
    """The barrier between the ends of a path, straight or bent.

    Args:
        path: with points at α = 0 and α = 1, and some between; those outside do not count.
        test: on the path's test data instead of its data.

    Returns:
        Loss and accuracy barrier. Of equally high points the first in the order of the path counts.

    Raises:
        DataError: the path lacks an end, or has nothing between them.
        UnknownNameError: it has no test data.

    Example:
        >>> from gossamer.analyze.landscape.path import Point
        >>> path = Path((Point(0.0, 1.0, 0.9, 1.0), Point(0.5, 5.0, 0.5, 1.0), Point(1.0, 3.0, 0.7, 1.0)))
        >>> found = barrier(path)
        >>> found.loss, found.highest_loss, round(found.accuracy, 3), found.loss_alpha
        (3.0, 5.0, 0.3, 0.5)
    """
    prefix = "test_" if test else ""
    alphas = path.values("alpha")
    inside = (alphas > -NEAR) & (alphas < 1 + NEAR)
    ends = _end(alphas, 0.0), _end(alphas, 1.0)
    if int(inside.sum()) < 3:
        raise DataError("expected a path with points between alpha = 0 and 1, got none; add for instance alpha = 0.5")
    losses = path.values(f"{prefix}loss")
    height, where = _largest(losses - _straight(losses, alphas, ends), alphas, inside)
    highest, highest_where = _largest(losses, alphas, inside)
    if f"{prefix}accuracy" not in path.rows()[0]:
        return Barrier(height, where, highest, highest_where)
    shares = path.values(f"{prefix}accuracy")
    drop, drop_where = _largest(_straight(shares, alphas, ends) - shares, alphas, inside)
    return Barrier(height, where, highest, highest_where, drop, drop_where, float(shares[inside].min()))


def _end(alphas: Tensor, alpha: float) -> int:
    found = ((alphas - alpha).abs() < NEAR).nonzero().flatten().tolist()
    if not found:
        raise DataError(
            f"expected a path with its ends, alpha = 0 and alpha = 1, got none at {alpha:g}; add it to `alphas`"
        )
    return int(found[0])


def _straight(values: Tensor, alphas: Tensor, ends: tuple[int, int]) -> Tensor:
    """The values a straight line between both ends would have; exactly the values at the ends."""
    return torch.lerp(values[ends[0]], values[ends[1]], alphas)


def _largest(values: Tensor, alphas: Tensor, inside: Tensor) -> tuple[float, float]:
    place = int(values.masked_fill(~inside, -torch.inf).argmax())
    return float(values[place]), float(alphas[place])
