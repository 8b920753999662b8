"""What a network answers to every sample, in the order of the samples."""

import torch
from torch import Tensor, nn

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.core.named import unwrap
from gossamer.hardness.inference import Batches, one_pass


def collect(model: nn.Module, batches: Batches, count: int) -> tuple[Tensor, Tensor]:
    """The logits of every sample by one pass in evaluation mode.

    The modes of the model, its statistics, gradients and torch's random state are left as found, so that a training
    goes on as if nobody had asked. The images are taken as they come: leave augmentation out of the batches.

    Args:
        model: gives logits (B, C).
        batches: yields (indices, images, labels), in any order, each index 0..count - 1 once; moved to the model's
            device.
        count: number of samples, N.

    Returns:
        The logits, float32 (N, C), and the labels, int64 (N,), by index, on the CPU.

    Raises:
        SettingError: `count` is below 1.
        DataError: a batch is no such triple; an index is missing, comes twice or is out of range; or the model's
            output is not (B, C).

    Example:
        >>> batches = [(torch.tensor([2, 0]), torch.eye(2), torch.tensor([1, 0])),
        ...            (torch.tensor([1]), torch.ones(1, 2), torch.tensor([0]))]
        >>> logits, labels = collect(nn.Identity(), batches, count=3)
        >>> logits.tolist(), labels.tolist()
        ([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], [0, 0, 1])
    """
    (logits,), labels = one_pass(model, lambda images: (_logits(model, images),), batches, count)
    return logits, labels


def collect_features(
    model: nn.Module, batches: Batches, count: int, *, layer: str | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``collect``, and besides the inputs of the last linear layer, for ``last_layer_grand``.

    Args:
        model: its output must be that layer's output; wrappers are looked through, so a compiled one runs uncompiled.
        batches: as for ``collect``.
        count: number of samples, N.
        layer: name of the linear layer; default: the last one of the model.

    Returns:
        The logits, float32 (N, C), the labels, int64 (N,), and the features, float32 (N, D), by index, on the CPU.

    Raises:
        UnknownNameError: `layer` names no linear layer.
        SettingError: the model has no linear layer, or `count` is below 1.
        DataError: as ``collect``, or the layer's output is not the model's.

    Example:
        >>> model = nn.Sequential(nn.ReLU(), nn.Linear(2, 3))
        >>> batches = [(torch.tensor([1, 0]), torch.tensor([[1.0, -1.0], [2.0, 3.0]]), torch.tensor([0, 2]))]
        >>> logits, labels, features = collect_features(model, batches, count=2)
        >>> logits.shape, features.tolist()
        (torch.Size([2, 3]), [[2.0, 3.0], [1.0, 0.0]])
    """
    model = unwrap(model)
    name, linear = _linear(model, layer)
    calls: list[tuple[Tensor, Tensor]] = []

    def forward(images: Tensor) -> tuple[Tensor, ...]:
        calls.clear()
        logits = _logits(model, images)
        if not calls or calls[-1][0].ndim != 2 or not torch.equal(calls[-1][1], logits):
            raise DataError(
                f"expected the output of {name!r}, the last linear layer, to be that of the model, and its input "
                "(B, D); name another: layer=..."
            )
        return logits, calls[-1][0]

    handle = linear.register_forward_hook(lambda _, inputs, output: calls.append((inputs[0], output)))
    try:
        (logits, features), labels = one_pass(model, forward, batches, count)
    finally:
        handle.remove()
    return logits, labels, features


def _logits(model: nn.Module, images: Tensor) -> Tensor:
    logits = model(images)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise DataError(f"expected logits (B, C) from the model, got {got}; wrap it so that it gives these alone")
    return logits


def _linear(model: nn.Module, name: str | None) -> tuple[str, nn.Linear]:
    layers = {key: module for key, module in model.named_modules() if isinstance(module, nn.Linear)}
    if not layers:
        raise SettingError("expected a model with a linear layer, got none; pass features of your own to the score")
    name = name if name is not None else list(layers)[-1]
    if name not in layers:
        raise UnknownNameError("linear layer", name, layers)
    return name, layers[name]
