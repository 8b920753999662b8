"""Loss and accuracy along a curve through the weights of one architecture."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gossamer.analyze.landscape.batch_norm import reestimated
from gossamer.analyze.landscape.state_masks import density_of
from gossamer.analyze.landscape.states import outputs_at
from gossamer.analyze.passes import Data, Loss, Passes, check_finite, check_scalar
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.modes import evaluating, left_as_found

UNIT = tuple(step / 20 for step in range(21))  # 0 to 1 in the steps of 0.05 of arXiv:2010.03533


class Curve(Protocol):
    """A curve through states of one architecture."""

    @property
    def weights(self) -> list[str]:
        """Names of the weights whose density is reported."""

    def at(self, alpha: float) -> dict[str, Tensor]:
        """The state at ``alpha``: 0 is the start, 1 the end; its tensors may be changed."""


@dataclass(frozen=True)
class Point:
    """A network on a curve.

    Attributes:
        alpha: where on the curve; 0 is the start and 1 the end.
        loss: mean over the data.
        accuracy: share in [0, 1]; None where outputs are no class scores (N, C, ...) for labels (N, ...).
        density: share of non-zeros among the weights that may be zero. Between two ends with different masks it is
            that of their union, and so larger than at either.
        test_loss: mean over the test data; None without.
        test_accuracy: share in [0, 1]; None without.
    """

    alpha: float
    loss: float
    accuracy: float | None
    density: float
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True)
class Path:
    """What was measured along a curve.

    Args:
        points: in the order they were asked for.
    """

    points: tuple[Point, ...]

    def rows(self) -> list[dict[str, float]]:
        """A table, a row a point; columns that were not measured are left out.

        Returns:
            Plain numbers by column.
        """
        return [{name: value for name, value in asdict(point).items() if value is not None} for point in self.points]

    def values(self, column: str) -> Tensor:
        """A column of the table.

        Args:
            column: ``alpha``, ``loss``, ``accuracy``, ``density``, ``test_loss`` or ``test_accuracy``.

        Returns:
            float64 (points,).

        Raises:
            UnknownNameError: it was not measured.
        """
        rows = self.rows()
        if column not in rows[0]:
            raise UnknownNameError("column", column, rows[0])
        return torch.tensor([row[column] for row in rows], dtype=torch.float64)


def evaluate_curve(
    model: nn.Module,
    curve: Curve,
    loss: Loss,
    data: Data,
    *,
    alphas: Iterable[float] = UNIT,
    test: Data | None = None,
    batch_norm_data: Data | None = None,
    batch_size: int = 1000,
) -> Path:
    """Measure networks along a curve: one pass over the data each, and one more where there is batch norm.

    Batch-norm statistics are taken anew at every point, as by ``batch_norm.reestimated``, also
    at the ends, so that all points are treated alike. Points are run one by one: all at once by ``torch.func.vmap``
    took 1.3 to 2.3 times as long (LeNet5, 8 points, batches of 50 to 1000, one core).

    Args:
        model: the architecture; its own weights, modes and random state are left as found.
        curve: such as a :class:`Line` or a :class:`Bezier`.
        loss: from outputs and labels to the mean over a batch.
        data: a pair ``(inputs, labels)``, a list of such pairs or a DataLoader without shuffling.
        alphas: where to measure; 0 is the start and 1 the end.
        test: other data to measure on.
        batch_norm_data: for batch-norm statistics; ``data`` if None.
        batch_size: samples at once, where a pair is given.

    Returns:
        A point for each of ``alphas``.

    Raises:
        SettingError: no ``alphas``, one that is not finite, or a loss that is not one number.
        StateError: a loss that is not finite.
        DataError: data that differs between passes.
    """
    chosen = _checked(alphas)
    trained = Passes(data, batch_size)
    statistics = trained if batch_norm_data is None else Passes(batch_norm_data, batch_size)
    tested = None if test is None else Passes(test, batch_size)
    points = []
    with left_as_found(model):  # around all passes: random state put back after each would hide a loader that shuffles
        for alpha in chosen:
            state = curve.at(alpha)
            density = density_of(state, curve.weights)
            state = reestimated(model, state, statistics)
            here = measure(model, state, loss, trained)
            there = (None, None) if tested is None else measure(model, state, loss, tested)
            points.append(Point(alpha, *here, density, *there))
    return Path(tuple(points))


def measure(model: nn.Module, state: Mapping[str, Tensor], loss: Loss, data: Passes) -> tuple[float, float | None]:
    """Mean loss and accuracy of a network with the weights of a state.

    Args:
        model: the architecture; in evaluation mode meanwhile.
        state: its tensors by name.
        loss: from outputs and labels to the mean over a batch.
        data: read once.

    Returns:
        The loss, and the share of labels met, or None where outputs are no class scores.

    Raises:
        StateError: the loss is not finite.
        SettingError: the loss is not one number.

    Example:
        >>> outputs = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0]])
        >>> measure(nn.Identity(), {}, lambda z, y: z.sum() / len(y), Passes((outputs, torch.tensor([0, 1, 1]))))
        (2.0, 0.6666666666666666)
    """
    total, right, labelled, samples = 0.0, 0, 0, 0
    with torch.no_grad(), evaluating(model):
        for inputs, labels in data:
            outputs = outputs_at(model, state, inputs)
            labels = labels.to(outputs.device) if isinstance(outputs, Tensor) else labels
            total += float(check_scalar(loss(outputs, labels))) * len(labels)
            samples += len(labels)
            if _are_scores(outputs, labels):
                right += int((outputs.argmax(1) == labels).sum())
                labelled += labels.numel()
    return check_finite(total / samples), right / labelled if labelled else None


def _are_scores(outputs: Any, labels: Tensor) -> bool:
    if not isinstance(outputs, Tensor) or outputs.dim() < 2 or labels.is_floating_point():
        return False
    return outputs.shape[:1] + outputs.shape[2:] == labels.shape


def _checked(alphas: Iterable[float]) -> list[float]:
    chosen = [float(alpha) for alpha in alphas]
    if not chosen or not all(map(isfinite, chosen)):
        raise SettingError(f"expected one or more finite numbers as alphas, got {chosen}; 0 is the start, 1 the end")
    return chosen
