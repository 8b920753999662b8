"""Several networks that decide together."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.analyze.landscape.agreement import Outputs, predictions
from gossamer.core.errors import DataError, UnknownNameError
from gossamer.core.interval import wilson_interval

AVERAGES = ("probabilities", "logits")


@dataclass(frozen=True)
class Ensemble:
    """The accuracy of networks that decide together, beside that of each alone.

    Attributes:
        accuracy: of the averaged prediction, in [0, 1].
        low: lower end of Wilson's interval, over the samples.
        high: upper end.
        members: accuracy of each alone.
        samples: N.
    """

    accuracy: float
    low: float
    high: float
    members: tuple[float, ...]
    samples: int

    @property
    def gain(self) -> float:
        """Accuracy above the mean of the members."""
        return self.accuracy - sum(self.members) / len(self.members)

    def as_dict(self) -> dict[str, float]:
        """A row of a table.

        Returns:
            Plain numbers by column.
        """
        mean = sum(self.members) / len(self.members)
        return {
            "members": len(self.members),
            "member_accuracy": mean,
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
        }


def averaged(outputs: Sequence[Outputs] | Outputs, average: str = "probabilities") -> Tensor:
    """The averaged prediction of several networks.

    Args:
        outputs: logits, K times (N, C).
        average: ``probabilities``, softmax first, as in Lakshminarayanan et al. 2017 (arXiv:1612.01474); or ``logits``.

    Returns:
        float64 (N, C), on the CPU.

    Raises:
        DataError: no networks, or logits of different shapes or with NaN.
        UnknownNameError: another average.

    Example:
        >>> averaged(torch.tensor([[[0.0, 0.0]], [[0.0, 2.0]]]), "logits")
        tensor([[0., 1.]], dtype=torch.float64)
    """
    if average not in AVERAGES:
        raise UnknownNameError("average", average, AVERAGES)
    members = [torch.as_tensor(each).detach().cpu().double() for each in outputs]
    if not members or any(each.dim() != 2 or each.shape != members[0].shape for each in members):
        shapes = [tuple(each.shape) for each in members]
        raise DataError(f"expected logits (N, C) of one or more networks on the same samples, got shapes {shapes}")
    for each in members:
        predictions(each)  # refuses NaN
    return torch.stack([each.softmax(1) if average == "probabilities" else each for each in members]).mean(0)


def ensemble_accuracy(
    outputs: Sequence[Outputs] | Outputs,
    labels: Outputs,
    *,
    average: str = "probabilities",
    confidence: float = 0.95,
) -> Ensemble:
    """The accuracy of the averaged prediction of several networks (of five in arXiv:2010.03533).

    Args:
        outputs: logits, K times (N, C), of the same samples in the same order.
        labels: whole numbers (N,).
        average: ``probabilities`` or ``logits``; see :func:`averaged`.
        confidence: of the interval.

    Returns:
        Accuracy and interval; of equally likely classes the first counts.

    Raises:
        DataError: shapes that do not fit, labels outside of the classes, or logits with NaN.
        UnknownNameError: another average.
        SettingError: a confidence outside (0, 1).

    Example:
        >>> sure, unsure = [[5.0, 0.0], [0.0, 5.0]], [[0.0, 1.0], [0.0, 1.0]]
        >>> found = ensemble_accuracy(torch.tensor([sure, unsure]), torch.tensor([0, 1]))
        >>> found.accuracy, found.members
        (1.0, (1.0, 0.5))
    """
    scores = averaged(outputs, average)
    truth = predictions(labels)
    if len(truth) != len(scores) or bool((truth < 0).any()) or int(truth.max()) >= scores.shape[1]:
        raise DataError(
            f"expected {len(scores)} labels in 0..{scores.shape[1] - 1}, got {len(truth)} in {int(truth.min())}.."
            f"{int(truth.max())}"
        )
    right = _share(predictions(scores), truth)
    members = tuple(_share(predictions(each), truth) for each in outputs)
    return Ensemble(right, *wilson_interval(right, len(truth), confidence), members, len(truth))


def _share(predicted: Tensor, truth: Tensor) -> float:
    return int((predicted == truth).sum()) / len(truth)
