"""The loss of each sample."""

import torch
from torch import Tensor

from gossamer.hardness.arrays import Array
from gossamer.hardness.check import as_models, each


def loss(logits: Array, labels: Array) -> Tensor:  # (N, C) or (K, N, C), (N,) -> (N,)
    """The cross entropy of each sample, -ln softmax(f(x))_y, larger is harder.

    The oldest of the scores; Loshchilov and Hutter (2015, arXiv:1511.06343) select the samples of a batch by its rank.
    It has no upper bound, so in a mean over models the most confidently wrong one counts most; ``el2n`` is bounded.

    Args:
        logits: outputs before the softmax; (N, C) of one model or (K, N, C) of K models, whose losses are averaged.
        labels: whole numbers 0..C - 1, (N,).

    Returns:
        float64 (N,), at least 0; losses far below 1e-16 are still told apart.

    Raises:
        DataError: on shapes that do not fit, labels outside 0..C - 1, or logits that are not finite.

    Example:
        >>> loss(torch.tensor([[0.0, 0.0], [0.0, 9.0]]), torch.tensor([0, 0])).round(decimals=3)
        tensor([0.6930, 9.0000], dtype=torch.float64)
    """
    return each(as_models("loss", logits, labels), labels, _cross_entropy).mean(0)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """ln(1 + Σ_{j≠y} exp(z_j - z_y)): the logarithm of a softmax near 1 would be 0 for all losses below 1e-16."""
    true = labels.unsqueeze(1)
    wrong = logits.scatter(1, true, -torch.inf).logsumexp(1) - logits.gather(1, true).squeeze(1)
    return torch.logaddexp(wrong, torch.zeros_like(wrong))
