"""Scores of a whole training: what became of a sample from epoch to epoch."""

import torch
from torch import Tensor

from gossamer.hardness.arrays import Array
from gossamer.hardness.check import as_runs, each, wrong_probabilities
from gossamer.hardness.margin import is_right, margins


def forgetting(logits: Array, labels: Array) -> Tensor:  # (E, N, C) or (K, E, N, C), (N,) -> (N,)
    """Forgetting events (Toneva et al. 2019, arXiv:1812.05159, Section 3): how often right turned into wrong.

    A sample is learned in an epoch where its true class has the largest logit. One that is never learned in any run
    is the hardest of all: infinity (the authors' code counts E, others 1000 or even 0). In a mean over several runs,
    a run that never learned it counts E events, as in the authors' code, more than the E / 2 that are possible;
    so K runs rank samples exactly as theirs. The authors see each sample once an epoch, while training and augmented;
    ``Collector`` sees all samples after an epoch, in evaluation mode.

    Args:
        logits: outputs before the softmax after each of E ≥ 2 epochs: (E, N, C) of one run, (K, E, N, C) of K runs.
        labels: whole numbers 0..C - 1, (N,).

    Returns:
        float64 (N,): 0 for a sample that is never forgotten once learned, infinity for one that is never learned.

    Raises:
        DataError: on shapes that do not fit, fewer than 2 epochs, bad labels, or logits that are not finite.

    Example:
        >>> right, wrong = [1.0, 0.0], [0.0, 1.0]
        >>> epochs = [[right, right, wrong], [wrong, right, wrong], [right, right, wrong], [wrong, right, wrong]]
        >>> forgetting(torch.tensor(epochs), torch.tensor([0, 0, 0]))
        tensor([2., 0., inf], dtype=torch.float64)
    """
    right = each(as_runs("forgetting", logits, labels, epochs=2), labels, is_right).bool()
    events = (right[:, :-1] & ~right[:, 1:]).sum(1)
    learned = right.any(1)
    counted = torch.where(learned, events, right.shape[1]).double().mean(0)
    return torch.where(learned.any(0), counted, torch.inf)


def aum(logits: Array, labels: Array) -> Tensor:  # (E, N, C) or (K, E, N, C), (N,) -> (N,)
    """The area under the margin (Pleiss et al. 2020, arXiv:2001.10528, Equation 1), negated: larger is harder.

    The mean over epochs of max_{j≠y} z_j - z_y, in logits. The authors made it to find mislabelled samples, whose
    margin stays on the wrong side, and stop it at the first drop of the learning rate, before they are memorised:
    pass the epochs until then.

    Args:
        logits: outputs before the softmax after each epoch: (E, N, C) of one run, (K, E, N, C) of K runs.
        labels: whole numbers 0..C - 1, (N,).

    Returns:
        float64 (N,), unbounded; minus the published quantity.

    Raises:
        DataError: on shapes that do not fit, bad labels, or logits that are not finite.

    Example:
        >>> aum(torch.tensor([[[3.0, 1.0]], [[5.0, 1.0]]]), torch.tensor([0]))
        tensor([-3.], dtype=torch.float64)
    """
    return each(as_runs("aum", logits, labels), labels, margins).mean((0, 1))


def confidence(logits: Array, labels: Array) -> Tensor:  # (E, N, C) or (K, E, N, C), (N,) -> (N,)
    """One minus the confidence of Swayamdipta et al. (2020, arXiv:2009.10795, Section 2): larger is harder.

    1 - μ, μ the mean over epochs of the true class's probability: their "hard-to-learn" samples score near 1.

    Args:
        logits: outputs before the softmax after each epoch: (E, N, C) of one run, (K, E, N, C) of K runs.
        labels: whole numbers 0..C - 1, (N,).

    Returns:
        float64 (N,), in [0, 1].

    Raises:
        DataError: on shapes that do not fit, bad labels, or logits that are not finite.

    Example:
        >>> confidence(torch.tensor([[[0.0, 0.0]], [[9.0, 0.0]]]), torch.tensor([0])).round(decimals=2)
        tensor([0.2500], dtype=torch.float64)
    """
    return each(as_runs("confidence", logits, labels), labels, _doubt).mean((0, 1))


def variability(logits: Array, labels: Array) -> Tensor:  # (E, N, C) or (K, E, N, C), (N,) -> (N,)
    """The variability of Swayamdipta et al. (2020, arXiv:2009.10795, Section 2): larger counts as harder.

    The standard deviation over epochs (divided by E, as theirs) of the true class's probability. Large for their
    "ambiguous" samples, small both for those always right and for those always wrong: so the hardest by
    ``confidence`` are not the hardest here. Several runs: the mean of their deviations.

    Args:
        logits: outputs before the softmax after each of E ≥ 2 epochs: (E, N, C) of one run, (K, E, N, C) of K runs.
        labels: whole numbers 0..C - 1, (N,).

    Returns:
        float64 (N,), in [0, 1/2].

    Raises:
        DataError: on shapes that do not fit, fewer than 2 epochs, bad labels, or logits that are not finite.

    Example:
        >>> variability(torch.tensor([[[0.0, 0.0]], [[99.0, 0.0]]]), torch.tensor([0]))
        tensor([0.2500], dtype=torch.float64)
    """
    doubt = each(as_runs("variability", logits, labels, epochs=2), labels, _doubt)
    return doubt.std(1, correction=0).mean(0)


def _doubt(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - p_y with all its digits."""
    return wrong_probabilities(logits, labels).sum(1)
