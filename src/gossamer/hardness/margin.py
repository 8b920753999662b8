"""The margin by which a sample is wrong."""

from typing import Literal

import torch
from torch import Tensor

from gossamer.core.errors import UnknownNameError
from gossamer.hardness.arrays import Array
from gossamer.hardness.check import Rows, as_models, each


def margin(  # (N, C) or (K, N, C), (N,) -> (N,)
    logits: Array, labels: Array, *, of: Literal["logits", "probabilities"] = "logits"
) -> Tensor:
    """The margin of a misclassification: the largest wrong output minus the true one, larger is harder.

    max_{j≠y} z_j - z_y: negative for a sample that is right, positive for one that is wrong, 0 for a tie.
    Of logits it is the misclassification margin of Toneva et al. (2019, arXiv:1812.05159) with the sign turned,
    and its mean over epochs is ``aum``; of probabilities it is the "margin error" in the code of
    Paul et al. (2021, arXiv:2107.07075). Logits have no bounds, so one confident model may outweigh the others.

    Args:
        logits: outputs before the softmax; (N, C) of one model or (K, N, C) of K models, whose margins are averaged.
        labels: whole numbers 0..C - 1, (N,).
        of: ``"logits"`` (unbounded) or ``"probabilities"`` (their softmax, in [-1, 1]).

    Returns:
        float64 (N,).

    Raises:
        DataError: on shapes that do not fit, labels outside 0..C - 1, or logits that are not finite.
        UnknownNameError: `of` is neither.

    Example:
        >>> logits = torch.tensor([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
        >>> margin(logits, torch.tensor([0, 1]))
        tensor([-2.,  2.], dtype=torch.float64)
        >>> margin(logits, torch.tensor([0, 1]), of="probabilities").round(decimals=2)
        tensor([-0.7300,  0.7300], dtype=torch.float64)
    """
    kinds: dict[str, Rows] = {"logits": margins, "probabilities": _of_probabilities}
    if of not in kinds:
        raise UnknownNameError("kind of margin", of, kinds)
    return each(as_models("margin", logits, labels), labels, kinds[of]).mean(0)


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """The margin of each row, (N, C), (N,) -> (N,)."""
    true = labels.unsqueeze(1)
    return logits.scatter(1, true, -torch.inf).amax(1) - logits.gather(1, true).squeeze(1)


def is_right(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the true class has the largest logit, else 0; a tie is wrong, so that no argmax need decide it."""
    return (margins(logits, labels) < 0).double()


def _of_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    return margins(torch.softmax(logits, dim=1), labels)
