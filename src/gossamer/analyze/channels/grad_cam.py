"""Grad-CAM: which part of an image speaks for a class (Selvaraju et al. 2017, arXiv:1610.02391), through captum."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gossamer.analyze.answers import logits_of, own_type
from gossamer.analyze.channels.convolutions import convolutions, named_module
from gossamer.analyze.images import on_device
from gossamer.core.errors import DataError, MissingError, SettingError, StateError
from gossamer.core.given import check_tensor
from gossamer.core.modes import left_as_found
from gossamer.core.named import unwrap
from gossamer.core.schedule import is_whole


def grad_cam(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    layer: str | None = None,
    *,
    batch_size: int = 100,
) -> Tensor:
    """Maps of what speaks for a class: ReLU(Σ_c w_c A_c), w_c the mean of ∂ logit / ∂ A_c over the plane.

    A are the feature maps of the layer. The map is enlarged to the image bilinearly, and divided by its maximum.

    Args:
        model: takes images in [0, 1] and normalises by itself; used in evaluation mode and left as found.
        images: (N, C, H, W), in [0, 1].
        labels: the classes that are asked for, (N,); default: those that the model names.
        layer: name of a module with feature maps (B, C, h, w); default: the last convolution listed. In a residual
            network its last block is what the authors look at.
        batch_size: images at once.

    Returns:
        (N, H, W), in [0, 1], on the images' device; zeros where nothing speaks for the class.

    Raises:
        MissingError: captum is not installed.
        UnknownNameError: no such layer.
        SettingError: the layer has no feature maps or does not take part, there is no convolution, or a batch size
            below 1.
        StateError: gradients that are not finite.
        DataError: images not in [0, 1] or not what the model takes, or labels that do not fit.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
        >>> maps = grad_cam(model, torch.rand(2, 1, 8, 8))  # doctest: +SKIP
        >>> maps.shape, float(maps.max())  # doctest: +SKIP
        (torch.Size([2, 8, 8]), 1.0)
    """
    _check(images, labels, batch_size)
    captum = _captum()
    name = list(convolutions(model))[-1] if layer is None else layer
    inner, module = unwrap(model), named_module(model, name)
    maps = []
    with left_as_found(inner), torch.inference_mode(False):
        for start in range(0, len(images), batch_size):
            some = images[start : start + batch_size]
            asked = None if labels is None else labels[start : start + batch_size]
            shown, classes = _batch(inner, some, asked)
            found = _features(captum.LayerGradCam(inner, module), shown, classes, name)
            maps.append(_enlarged(found, shown).to(images.device))
    return torch.cat(maps) if maps else images.new_zeros(0, *images.shape[-2:])


def _check(images: Tensor, labels: Tensor | None, batch_size: int) -> None:
    if not (is_whole(batch_size) and batch_size >= 1):
        raise SettingError(f"expected batch_size ≥ 1, got {batch_size!r}; it bounds the memory, not the result")
    check_tensor(images, "images")
    if labels is None:
        return
    check_tensor(labels, "labels")
    if labels.shape != images.shape[:1]:
        raise DataError(f"expected one label for each of {len(images)} images, got shape {tuple(labels.shape)}")


def _captum() -> Any:
    """The part of captum that is needed; it loads matplotlib.

    Returns:
        The module ``captum.attr``.

    Raises:
        MissingError: it, or something that it needs, is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise MissingError(
            f"expected the package captum for Grad-CAM, got: {error}; install it with pip install 'gossamer[cam]'"
        ) from error
    return captum.attr


def _batch(model: nn.Module, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Checked images in the type of the model's weights, and the classes that are asked for."""
    asked = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
    shown, classes = on_device(images.clone() if images.is_inference() else images, asked, model)
    with torch.no_grad():
        logits = logits_of(model, shown)
    if labels is None:
        classes = logits.argmax(1)
    elif int(classes.max()) >= logits.shape[1]:
        raise DataError(f"label {int(classes.max())} is outside 0..{logits.shape[1] - 1}, the classes of the model")
    return shown.to(own_type(model, shown)), classes


def _features(attribution: Any, images: Tensor, classes: Tensor, layer: str) -> Tensor:  # (B, 1, h, w)
    try:
        found = attribution.attribute(images, target=classes, relu_attributions=True)
    except (AssertionError, RuntimeError) as error:
        if not any(words in str(error) for words in ("did not obtain", "to not have been used")):
            raise
        raise SettingError(
            f"expected a layer that takes part in the logits, got {layer!r}, which does not; name another one"
        ) from error
    if not isinstance(found, Tensor) or found.dim() != 4:
        got = tuple(found.shape) if isinstance(found, Tensor) else f"{len(found)} outputs"
        raise SettingError(
            f"expected a layer with feature maps (B, C, h, w), got {layer!r}, which is left with {got} when its "
            "channels are summed; name a convolution or a block of them"
        )
    return found.detach()


def _enlarged(features: Tensor, images: Tensor) -> Tensor:  # (B, H, W)
    """At least float32, divided by the maximum of each map."""
    maps = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
    maps = functional.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    highest = maps.amax((1, 2), keepdim=True)
    if not bool(highest.isfinite().all()):
        raise StateError("expected finite gradients at the layer, got some that are not; take an earlier network")
    return torch.where(highest > 0, maps / highest, torch.zeros_like(maps))
