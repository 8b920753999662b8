"""What attacks share: the form of one, the loss of each sample, and its gradient in the input."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from gossamer.attack.ball import Source
from gossamer.attack.checks import HALF, check_classes
from gossamer.attack.losses import LOSSES
from gossamer.attack.settings import Norm
from gossamer.core.errors import DataError, StateError


class Attack(Protocol):
    """What every attack looks like: settings in its fields, data in the call."""

    @property
    def eps(self) -> float:
        """The radius."""

    @property
    def norm(self) -> Norm:
        """The norm of the radius."""

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None) -> Tensor:
        """Adversarial images, shape of ``images``; draws from the generator, or for each image from its own."""


def logits_of(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:  # (B, C)
    """The model's outputs, at least float32: losses lose their digits in half precision.

    Args:
        model: any network.
        images: (B, C, H, W).
        labels: (B,), for the check of the shape only.

    Returns:
        Logits (B, C).

    Raises:
        DataError: if the outputs are not one row of two or more classes a sample.
    """
    logits = _answers(model, images)
    if logits.ndim != 2 or len(logits) != len(labels) or logits.shape[1] < 2:
        raise DataError(
            f"expected the model to give logits ({len(labels)}, classes), two classes or more, "
            f"got {tuple(logits.shape)}; wrap it so that it returns them alone"
        )
    return logits.float() if logits.dtype in HALF else logits


def _answers(model: nn.Module, images: Tensor) -> Tensor:
    """The model's outputs as they come; where it fails, and its weights are of another type, the error says so."""
    try:
        answers: Tensor = model(images)
    except RuntimeError as error:
        own = next((weight.dtype for weight in model.parameters() if weight.is_floating_point()), images.dtype)
        if own == images.dtype:
            raise
        advice = "keep it in float32 and use torch.autocast" if own in HALF else f"pass images.to({own})"
        raise DataError(
            f"the model, of {own}, does not take images of {images.dtype} ({str(error).splitlines()[0]}); {advice}"
        ) from error
    return answers


def outputs(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The model's logits, for labels that are among its classes.

    Args:
        model: any network.
        images: (B, C, H, W), at least one.
        labels: (B,).

    Returns:
        (B, classes).
    """
    logits = logits_of(model, images, labels)
    check_classes(int(labels.max()), logits)
    return logits


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the label has the largest logit, the first one of equals; a sample with nan among them is wrong.

    Args:
        logits: (B, classes).
        labels: (B,).

    Returns:
        bool, (B,).
    """
    return (logits.argmax(1) == labels) & ~logits.isnan().any(1)


def objective(model: nn.Module, labels: Tensor, loss: str) -> Callable[[Tensor], Tensor]:
    """The loss of each sample as a function of the images.

    Args:
        model: any network.
        labels: (B,), checked.
        loss: a name in ``LOSSES``.

    Returns:
        Images (B, C, H, W) -> losses (B,).
    """
    function, highest = LOSSES[loss], int(labels.max())

    def losses(images: Tensor) -> Tensor:
        logits = logits_of(model, images, labels)
        check_classes(highest, logits)
        return function(logits, labels)

    return losses


def input_gradient(losses_of: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of each sample's loss in its pixels, without those of the parameters.

    The sum of the losses is differentiated: a mean over a large batch would underflow in half precision.

    Args:
        losses_of: images -> losses (B,).
        images: (B, C, H, W).

    Returns:
        Gradients (B, C, H, W) and losses (B,).

    Raises:
        StateError: if the losses do not depend on the images in a way that torch can differentiate.
    """
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        losses = losses_of(leaf)
        gradient = torch.autograd.grad(losses.sum(), leaf, allow_unused=True)[0] if losses.requires_grad else None
    if gradient is None:
        raise StateError(
            "the model's outputs have no gradient in its input (no_grad, detach or argmax inside); "
            "use an attack without gradients: Square"
        )
    return gradient, losses.detach()


def is_right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:  # (B,)
    """Which samples the model has right, in the mode in which it is; a sample with nan among its logits is wrong.

    Args:
        model: any network.
        images: (B, C, H, W).
        labels: (B,), checked.

    Returns:
        Bool (B,).
    """
    with torch.no_grad():
        return right(outputs(model, images, labels), labels)
