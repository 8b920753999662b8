"""Images that an analysis changes and shows to a model: in [0, 1], where a change of a pixel has a meaning."""

import math

import torch
from torch import Tensor, nn

from gossamer.analyze.passes import Passes
from gossamer.core.errors import DataError
from gossamer.core.given import check_tensor

ROUNDING = 1e-6  # how far float32 images may leave [0, 1], as after a resize or a division


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of images in [0, 1].

    Args:
        images: (B, C, H, W), float32 or float64.

    Raises:
        DataError: another shape or type, values that are not finite, or outside [0, 1].

    Example:
        >>> check_images(torch.rand(2, 3, 8, 8))
    """
    check_tensor(images, "images")
    if images.dim() != 4 or 0 in images.shape:
        raise DataError(
            f"expected images (B, C, H, W), none of them 0, got {tuple(images.shape)}; "
            "give grey images a channel: images.unsqueeze(1)"
        )
    if images.dtype not in (torch.float32, torch.float64):
        advice = "images.float() / 255" if images.dtype == torch.uint8 else "images.float()"
        raise DataError(f"expected float32 or float64 images in [0, 1], got {images.dtype}; pass {advice}")
    low, high = (float(bound) for bound in images.detach().aminmax())
    if low < -ROUNDING or high > 1 + ROUNDING or not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"expected images in [0, 1], got values from {low:.4g} to {high:.4g}; {_advice(low, high)}")


def _advice(low: float, high: float) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return "look for nan in the data"
    if low >= 0 and 1.5 < high <= 255:
        return "they look like grey levels: divide them by 255"
    return "they look normalised: make the normalisation a layer of the model"


def check_labels(labels: Tensor) -> None:
    """Refuse labels that are not one class an image.

    Args:
        labels: whole numbers from 0, (B,).

    Raises:
        DataError: another shape or type, or a label below 0.

    Example:
        >>> check_labels(torch.tensor([3, 0]))
    """
    check_tensor(labels, "labels")
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if labels.dim() != 1 or not whole or (len(labels) and int(labels.min()) < 0):
        raise DataError(
            f"expected one whole number from 0 as label of each image, got {labels.dtype} of shape "
            f"{tuple(labels.shape)}; pass class numbers, as labels.argmax(1) of one-hot ones"
        )


def on_device(images: Tensor, labels: Tensor, model: nn.Module) -> tuple[Tensor, Tensor]:
    """A checked batch on the device of a model.

    Args:
        images: (B, C, H, W), in [0, 1].
        labels: (B,).
        model: a model without weights takes the batch where it is.

    Returns:
        Both, detached.

    Example:
        >>> images, labels = on_device(torch.rand(2, 1, 4, 4), torch.tensor([0, 1]), nn.Flatten())
        >>> images.shape, labels.dtype
        (torch.Size([2, 1, 4, 4]), torch.int64)
    """
    check_images(images)
    check_labels(labels)
    weight = next(model.parameters(), None)
    place = images.device if weight is None else weight.device
    return images.detach().to(place), labels.to(place, torch.int64)


def one_size(passes: Passes) -> tuple[int, int]:
    """Read data once, and find the size that all images have.

    Args:
        passes: images (B, C, H, W) and their labels.

    Returns:
        H and W.

    Raises:
        DataError: they have several sizes, or are no images.

    Example:
        >>> one_size(Passes((torch.zeros(3, 1, 4, 6), torch.zeros(3))))
        (4, 6)
    """
    sizes = set()
    for images, _ in passes:
        check_images(images)
        sizes.add((images.shape[-2], images.shape[-1]))
    if len(sizes) != 1:
        raise DataError(f"expected images of one size, got {sorted(sizes)}; their frequencies differ: resize or crop")
    return sizes.pop()
