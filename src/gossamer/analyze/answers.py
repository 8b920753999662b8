"""What a classifier answers to images, and whether it is right."""

from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.errors import DataError, StateError


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """The outputs of a model, one row an image.

    Args:
        model: normalises by itself, where it needs to; in the mode in which it is.
        images: (B, C, H, W); passed in the type of the model's weights.

    Returns:
        Logits (B, K).

    Raises:
        DataError: the model takes other channels, or gives no such rows.
        StateError: logits that are not finite.

    Example:
        >>> logits_of(nn.Flatten(), torch.ones(1, 1, 1, 2))
        tensor([[1., 1.]])
    """
    logits = _answers(model, images)
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(images) or logits.shape[1] < 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise DataError(
            f"expected the model to give logits ({len(images)}, classes), two classes or more, got {got}; wrap it so "
            "that it returns them alone"
        )
    if not bool(logits.isfinite().all()):
        raise StateError("expected finite logits, got some that are not; the network has diverged: take an earlier one")
    return logits


def _answers(model: nn.Module, images: Tensor) -> Any:
    """The outputs as they come."""
    try:
        return model(images.to(own_type(model, images)))
    except RuntimeError as error:
        _explain_channels(model, images, error)
        raise


def own_type(model: nn.Module, images: Tensor) -> torch.dtype:
    """The type of a model's weights, in which it takes images.

    Args:
        model: one without weights takes them as they are.
        images: (B, C, H, W).

    Returns:
        A floating-point type.

    Example:
        >>> own_type(nn.Conv2d(1, 1, 1).double(), torch.rand(1, 1, 2, 2))
        torch.float64
    """
    return next((weight.dtype for weight in model.parameters() if weight.is_floating_point()), images.dtype)


def _explain_channels(model: nn.Module, images: Tensor, error: RuntimeError) -> None:
    """Say it in words if what went wrong is that grey images meet a network for colours, or the other way round."""
    wanted = next((module.in_channels for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if wanted is None or wanted == images.shape[1]:
        return
    advice = "repeat a grey channel by images.expand(-1, 3, -1, -1)" if wanted == 3 else "take the data it was made for"
    raise DataError(
        f"expected images of {wanted} channels, as the first convolution reads, got {images.shape[1]}; {advice}"
    ) from error


def right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which images a model has right.

    Args:
        model: in the mode in which it is.
        images: (B, C, H, W).
        labels: (B,), int64, on the same device.

    Returns:
        bool (B,).

    Raises:
        DataError: labels beyond the model's classes.

    Example:
        >>> right(nn.Flatten(), torch.tensor([0.2, 0.7]).reshape(1, 1, 1, 2), torch.tensor([1]))
        tensor([True])
    """
    with torch.no_grad():
        logits = logits_of(model, images)
    if int(labels.max()) >= logits.shape[1]:
        raise DataError(
            f"label {int(labels.max())} is outside 0..{logits.shape[1] - 1}, the classes of the model; it was trained "
            "for another data set"
        )
    return logits.argmax(1) == labels
