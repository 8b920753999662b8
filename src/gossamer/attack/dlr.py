"""The difference of logits ratio: a loss that no rescaling of the logits changes."""

import torch
from torch import Tensor

from gossamer.core.errors import SettingError

SMALLEST = 1e-12  # of a denominator, where the largest logits are equal; as in the authors' code


def dlr(logits: Tensor, labels: Tensor) -> Tensor:  # (B, C), (B,) -> (B,)
    """The difference of logits ratio (Croce & Hein 2020, arXiv:2003.01690, equation 6), with C ≥ 3 classes.

    -(z_y - max_{i≠y} z_i) / (z_π1 - z_π3), π the classes by descending logit: positive where the label is not
    the largest, at least -1 (and at most 1 where the label is among the three largest).
    Where cross-entropy saturates, this loss does not: it is the same for z and for a·z + b.

    Args:
        logits: (B, C).
        labels: (B,).

    Returns:
        (B,).

    Raises:
        SettingError: there are fewer than three classes.

    Example:
        >>> dlr(torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.tensor([0, 1]))
        tensor([-0.5000,  0.5000])
    """
    _check_classes(logits, 3, "the DLR loss", "use loss='ce'")
    first, _, third = logits.topk(3, dim=1).values.unbind(1)
    other = logits.scatter(1, labels.unsqueeze(1), -torch.inf).amax(1)
    return (other - _of(logits, labels)) / (first - third + SMALLEST)


def dlr_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:  # (B, C), (B,), (B,) -> (B,)
    """The targeted difference of logits ratio (arXiv:2003.01690, equation 7), with C ≥ 4 classes.

    -(z_y - z_t) / (z_π1 - (z_π3 + z_π4) / 2).

    Args:
        logits: (B, C).
        labels: (B,).
        targets: t, the class to be taken for, (B,).

    Returns:
        (B,).

    Raises:
        SettingError: there are fewer than four classes.

    Example:
        >>> dlr_targeted(torch.tensor([[4.0, 3.0, 1.0, 1.0]]), torch.tensor([0]), torch.tensor([2]))
        tensor([-1.])
    """
    _check_classes(logits, 4, "the targeted DLR loss", "use loss='dlr', or 'ce' with 2 classes")
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(1)
    return (_of(logits, targets) - _of(logits, labels)) / (first - (third + fourth) / 2 + SMALLEST)


def _of(logits: Tensor, classes: Tensor) -> Tensor:
    """The logit of one class a sample."""
    return logits.gather(1, classes.unsqueeze(1)).squeeze(1)


def _check_classes(logits: Tensor, least: int, loss: str, advice: str) -> None:
    if logits.shape[1] < least:
        raise SettingError(f"{loss} needs {least} classes or more, got {logits.shape[1]}; {advice}")
