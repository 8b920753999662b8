"""GraNd of the classifier alone, in closed form."""

from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.hardness.arrays import Array, as_tensor
from gossamer.hardness.check import as_models, each
from gossamer.hardness.el2n import squared_error


def last_layer_grand(  # (N, C) or (K, N, C), (N,), (N, D) or (K, N, D) -> (N,)
    logits: Array, labels: Array, features: Array, *, bias: bool = True
) -> Tensor:
    """The norm of each sample's loss gradient with respect to the last linear layer alone, larger is harder.

    ‖p - y‖₂ · ‖(h, 1)‖₂ for logits W h + b: the gradient of the cross entropy is (p - y) hᵀ for W and p - y for b.
    Other codes call this GraNd; the published score (Paul et al. 2021, arXiv:2107.07075; ``grand``) is over all
    weights, and the two rank differently. It costs no backward pass; ``collect_features`` gives the features.

    Args:
        logits: outputs of the layer; (N, C) of one model or (K, N, C) of K models, whose norms are averaged.
        labels: whole numbers 0..C - 1, (N,).
        features: inputs of the layer, h; (N, D) or (K, N, D).
        bias: whether the layer has one; without, ‖h‖₂ is the factor.

    Returns:
        float64 (N,), at least 0.

    Raises:
        DataError: on shapes that do not fit, bad labels, or logits or features that are not finite.

    Example:
        >>> import torch
        >>> logits, features = torch.tensor([[0.0, 99.0]]), torch.tensor([[2.0, 2.0]])
        >>> last_layer_grand(logits, torch.tensor([0]), features)  # √2 · 3
        tensor([4.2426], dtype=torch.float64)
    """
    models = as_models("last_layer_grand", logits, labels)
    features = as_tensor(features, "features")
    inputs = features.unsqueeze(0) if features.ndim == 2 else features
    if inputs.ndim != 3 or inputs.shape[:2] != models.shape[:2] or 0 in inputs.shape:
        raise DataError(
            f"last_layer_grand: expected features (N, D) or (K, N, D) for logits {tuple(models.shape)} (models first), "
            f"got {tuple(features.shape)}; pass the inputs of the last linear layer, flattened"
        )
    squares = each(inputs, labels, lambda part, _: part.square().sum(1)) + bias
    if not bool(squares.isfinite().all()):
        raise DataError(
            "last_layer_grand: some features are not finite; the model has diverged: score an earlier epoch"
        )
    return (each(models, labels, squared_error) * squares).sqrt().mean(0)
