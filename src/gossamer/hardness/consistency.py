"""How often independently trained models are wrong about a sample."""

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.hardness.arrays import Array, as_tensor
from gossamer.hardness.check import as_models, as_runs, each
from gossamer.hardness.margin import is_right


def consistency(  # (N, C), (K, N, C) or (K, E, N, C), (N,) -> (N,)
    logits: Array, labels: Array, *, held_out: Array | None = None
) -> Tensor:
    """One minus the share of models, and of epochs where there are several, that are right: larger is harder.

    With `held_out`, where only models count that were not trained on the sample, it is one minus an estimate of the
    consistency profile of Jiang et al. (2021, arXiv:2002.03206) at one size of the training set; their C-score is its
    mean over sizes. Without, the models have been trained on the sample and it is not the C-score; over the epochs of
    a training it is then of the kind of their learning-speed proxies, which go along with the C-score best.

    Args:
        logits: outputs before the softmax: (N, C) of one model, (K, N, C) of K models, or (K, E, N, C) of K runs
            after each of E epochs. Three dimensions are models; their mean is the same if they are epochs.
        labels: whole numbers 0..C - 1, (N,).
        held_out: bool (K, N), True where a model was not trained on a sample.

    Returns:
        float64 (N,), in [0, 1]; a tie of the largest logits counts as wrong.

    Raises:
        DataError: on shapes that do not fit, bad labels, logits that are not finite, or a sample never held out.

    Example:
        >>> models = torch.tensor([[[9.0, 0.0], [0.0, 9.0]], [[9.0, 0.0], [9.0, 0.0]]])
        >>> consistency(models, torch.tensor([0, 0]))
        tensor([0.0000, 0.5000], dtype=torch.float64)
        >>> held_out = torch.tensor([[True, True], [False, False]])
        >>> consistency(models, torch.tensor([0, 0]), held_out=held_out)
        tensor([0., 1.], dtype=torch.float64)
    """
    logits = as_tensor(logits, "logits")
    if logits.ndim == 4:
        runs = as_runs("consistency", logits, labels)
    else:
        runs = as_models("consistency", logits, labels).unsqueeze(1)
    wrong = 1 - each(runs, labels, is_right).mean(1)
    if held_out is None:
        return wrong.mean(0)
    held_out = as_tensor(held_out, "held_out")
    _check(held_out, wrong)
    counted = held_out.to(wrong.device)
    return (wrong * counted).sum(0) / counted.sum(0)


def _check(held_out: Tensor, wrong: Tensor) -> None:
    if held_out.shape != wrong.shape or held_out.dtype != torch.bool:
        raise DataError(
            f"consistency: expected held_out as bool (K, N) = {tuple(wrong.shape)}, got {held_out.dtype} "
            f"{tuple(held_out.shape)}; True where a model was not trained on a sample"
        )
    never = (~held_out.any(0)).nonzero().flatten()
    if len(never):
        raise DataError(
            f"consistency: {len(never)} samples were held out by no model, the first is {int(never[0])}; "
            "train more models, each on another part"
        )
