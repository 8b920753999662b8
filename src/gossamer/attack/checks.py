"""The checks of data that all attacks share: once a call, never once a step."""

import math
import warnings

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.core.given import check_tensor

HALF = (torch.float16, torch.bfloat16)


def check_data(images: Tensor, labels: Tensor, eps: float, norm: str) -> tuple[Tensor, Tensor]:
    """Check the data of one call, once: images in [0, 1] and a label for each; there may be none.

    Args:
        images: (B, C, H, W), float32 or float64, in [0, 1]. Excursions up to 0.01 are clamped with a warning
            (up to 1e-6, rounding, without).
        labels: whole numbers from 0, (B,).
        eps: see ``check_eps``; of l2 at most the diameter of [0, 1]^(C·H·W).
        norm: ``"linf"`` or ``"l2"``.

    Returns:
        The images, detached and inside [0, 1], and the labels as int64 on their device.

    Raises:
        SettingError: if no two images are as far apart as eps.
    """
    images = check_images(images)
    diameter = math.sqrt(math.prod(images.shape[1:]))
    if norm == "l2" and eps > diameter:
        raise SettingError(
            f"expected eps of l2 in units of images in [0, 1], where no two of shape {tuple(images.shape[1:])} are "
            f"further apart than {diameter:.1f}, got {eps:g}; divide a radius in grey levels by 255"
        )
    return images, check_labels(labels, images)


def check_shape(images: Tensor) -> None:
    """Check that these are images; there may be none of them.

    Args:
        images: (B, C, H, W).

    Raises:
        DataError: on another shape, or no tensor.
    """
    check_tensor(images, "images")
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise DataError(f"expected images (B, C, H, W), none of C, H, W 0, got {tuple(images.shape)}; reshape them")


def check_some(images: Tensor) -> None:
    """Check that there are images, where nothing can be said of none.

    Args:
        images: (B, C, H, W).

    Raises:
        DataError: if B is 0.
    """
    if len(images) == 0:
        raise DataError("expected at least one image, got none; look at what was selected before")


def check_images(images: Tensor) -> Tensor:
    """Check that images are what an attack works on; see ``check_data``.

    Args:
        images: (B, C, H, W).

    Returns:
        The images, detached and inside [0, 1].

    Raises:
        DataError: on another shape or dtype, values that are not finite, or outside [0, 1] by more than 0.01.
    """
    check_shape(images)
    if images.dtype not in (torch.float32, torch.float64):
        raise DataError(f"expected float32 or float64 images in [0, 1], got {images.dtype}; {_conversion(images)}")
    if images.is_inference():
        with torch.inference_mode(False):
            images = images.clone()
    images = images.detach()
    low, high = (float(bound) for bound in images.aminmax()) if len(images) else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return images
    _check_excursion(low, high)
    return images.clamp(0, 1)


def _conversion(images: Tensor) -> str:
    """What to pass instead of images of another type."""
    if images.dtype in HALF:
        return "pass images.float(), and use torch.autocast for speed: steps of an attack are below half precision"
    return "pass images.float() / 255" if images.dtype == torch.uint8 else "pass images.float(), in [0, 1]"


def _check_excursion(low: float, high: float) -> None:
    """Images leave [0, 1]: refuse, warn, or keep silent where it is rounding."""
    came = f"got values from {low:.4g} to {high:.4g}"
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"expected finite images in [0, 1], {came}; look for nan in the data")
    if low >= 0 and 1.5 < high <= 255:
        raise DataError(f"expected images in [0, 1], {came}; they look like grey levels: divide them by 255")
    if low < -0.01 or high > 1.01:
        raise DataError(
            f"expected images in [0, 1], {came}; they look normalised: put the normalisation inside the model, so "
            "that eps and the clamp to [0, 1] mean what they say"
        )
    if low < -1e-6 or high > 1 + 1e-6:
        warnings.warn(f"images leave [0, 1] ({came}); they are clamped", stacklevel=5)


def check_labels(labels: Tensor, images: Tensor) -> Tensor:
    """Check that there is one label for each image.

    Args:
        labels: whole numbers from 0, (B,).
        images: (B, C, H, W).

    Returns:
        The labels as int64 on the images' device.

    Raises:
        DataError: on another shape or dtype, or a label below 0.
    """
    check_tensor(labels, "labels")
    if labels.shape != images.shape[:1]:
        raise DataError(f"expected one label for each of {len(images)} images, got shape {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"expected whole numbers as labels, got {labels.dtype}; convert them by .long()")
    labels = labels.to(images.device, torch.int64)
    if len(labels) and (lowest := int(labels.min())) < 0:
        raise DataError(f"expected labels from 0, got {lowest}; leave out the images without a label")
    return labels


def check_classes(highest: int, logits: Tensor) -> None:
    """Check that the model has a class for every label.

    Args:
        highest: the largest label.
        logits: (B, C).

    Raises:
        DataError: if it has not.
    """
    if highest >= logits.shape[1]:
        raise DataError(
            f"label {highest} is outside 0..{logits.shape[1] - 1}; the model and the labels are of different data"
        )


def check_outcome(outcome: Tensor) -> Tensor:
    """Check once, at the end of an attack, that nothing became nan on the way.

    Args:
        outcome: adversarial images or their gradients, (B, C, H, W).

    Returns:
        The same.

    Raises:
        StateError: if some value is not finite.
    """
    if bad := int((~outcome.isfinite()).flatten(1).any(1).sum()):
        raise StateError(
            f"the attack's gradient was not finite for {bad} of {len(outcome)} images; "
            "the model has diverged, its logits overflow, or it takes a root of 0: look at its gradient in the input"
        )
    return outcome
