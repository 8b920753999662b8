"""EL2N, the error norm of a sample."""

from torch import Tensor

from gossamer.hardness.arrays import Array
from gossamer.hardness.check import as_models, each, wrong_probabilities


def el2n(logits: Array, labels: Array, *, squared: bool = False) -> Tensor:  # (N, C) or (K, N, C), (N,) -> (N,)
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
        >>> import torch
        >>> el2n(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.tensor([0, 0])).round(decimals=2)
        tensor([0.0000, 1.4100], dtype=torch.float64)
    """
    errors = each(as_models("el2n", logits, labels), labels, squared_error)
    return (errors if squared else errors.sqrt()).mean(0)


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """‖p - y‖² as Σ p_j² + (Σ p_j)² over the wrong classes j: 1 - p_y would lose all digits of a small error."""
    wrong = wrong_probabilities(logits, labels)
    return wrong.square().sum(1) + wrong.sum(1).square()
