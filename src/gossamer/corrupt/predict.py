"""A model as a function from images to classes, used without leaving a trace."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gossamer.core.errors import DataError

Predict = Callable[[Tensor], Tensor]  # (B, C, H, W) in [0, 1] -> logits (B, K), or classes (B,)


def classes_of(outputs: Tensor, labels: Tensor) -> Tensor:  # (B, K) or (B,) -> (B,)
    """The classes that a model names.

    Args:
        outputs: logits (B, K) or classes (B,).
        labels: of the same images, (B,).

    Returns:
        int64 (B,), on the CPU.

    Raises:
        DataError: another shape, numbers that are not finite, or labels beyond the K classes.
    """
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
    whole = isinstance(outputs, Tensor) and not outputs.is_floating_point()
    if not isinstance(outputs, Tensor) or outputs.shape[:1] != labels.shape or outputs.ndim != (1 if whole else 2):
        raise DataError(
            f"expected logits ({len(labels)}, classes) or whole-numbered classes ({len(labels)},), got {shape}; give "
            "a model, or a function of images (B, C, H, W)"
        )
    if outputs.ndim == 1:
        return outputs.cpu()
    if not bool(outputs.isfinite().all()):
        raise DataError("expected finite logits, got some that are not; the model has diverged: take an earlier one")
    if int(labels.max()) >= outputs.shape[1]:
        raise DataError(
            f"label {int(labels.max())} is outside 0..{outputs.shape[1] - 1}, the classes of the model; it was trained "
            "for another data set"
        )
    return outputs.argmax(1).cpu()


def shown(images: Tensor, model: nn.Module | Predict) -> Tensor:
    """Levels as a model takes them: in [0, 1], on its device, of the type of its weights.

    Args:
        images: levels, uint8 (B, C, H, W).
        model: a function, or a module without weights, is given float32.

    Returns:
        (B, C, H, W).
    """
    weights = list(model.parameters()) if isinstance(model, nn.Module) else []
    place = weights[0].device if weights else images.device
    kind = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
    return images.to(place).to(kind) / 255  # levels are whole in every type, so that rounding comes once
