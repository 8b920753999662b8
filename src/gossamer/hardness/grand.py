"""GraNd, the gradient norm of a sample, over all weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gossamer.core import masks as fit
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.core.modes import left_as_found
from gossamer.core.named import unwrap
from gossamer.hardness.arrays import Array, as_tensor
from gossamer.hardness.check import check_labels
from gossamer.hardness.inference import device_of
from gossamer.hardness.per_sample import PerSample, Tensors


def grand(  # (N, ...), (N,) -> (N,)
    model: nn.Module,
    images: Array,
    labels: Array,
    *,
    chunk: int | None = None,
    masks: Mapping[str, Tensor] | None = None,
    vectorize: bool | None = None,
) -> Tensor:
    """GraNd (Paul et al. 2021, arXiv:2107.07075, Definition 2.1): the norm of each sample's loss gradient.

    ‖∇_w ℓ(f_w(x), y)‖₂, ℓ the cross entropy, over all weights that want gradients (``last_layer_grand`` has the last
    layer alone; the two rank differently). The published score is the mean over independently trained models: average
    the results of several. At initialisation it does not reproduce (Kirsch 2023, arXiv:2303.14753: there it follows
    the norm of the image, and is no better than random); a few epochs into training it does.

    Evaluation mode, so that batch norm does not mix samples and dropout is off. The model's modes, ``.grad``,
    statistics and torch's random state are left as found.

    Args:
        model: gives logits (B, C); wrappers are looked through, so a compiled one runs uncompiled.
        images: as the model takes them, without augmentation, (N, ...).
        labels: whole numbers 0..C - 1, (N,).
        chunk: samples at a time, each with a gradient of its own in memory; default: as many as 256 MB of float32
            hold, 256 at most. Without influence on the result beyond rounding.
        masks: bool by parameter name; of these parameters only live weights count, as in a sparse network, whose dead
            weights have a gradient too.
        vectorize: True takes the gradients of a chunk at once, by ``torch.func.vmap``; False one after the other.
            Default: at once where that works and is faster, which convolutions on a CPU are not (2.6 times slower
            for a small convolutional network, 3.6 times for ResNet18, one core).

    Returns:
        float64 (N,), at least 0, on the labels' device.

    Raises:
        DataError: on shapes or types that do not fit, labels outside 0..C - 1, or gradients that are not finite.
        SettingError: `chunk` is below 1.
        StateError: nothing wants gradients; batch norm has no running statistics; a mask does not fit; or
            `vectorize` is True and the model cannot be vectorized.
        UnknownNameError: a mask names no parameter that wants gradients.

    Example:
        >>> model = nn.Linear(1, 2, bias=False)
        >>> model.weight.data.zero_()
        tensor([[0.],
                [0.]])
        >>> grand(model, torch.tensor([[1.0], [-2.0]]), torch.tensor([0, 1]))  # √½ · ‖x‖
        tensor([0.7071, 1.4142], dtype=torch.float64)
    """
    images, labels = as_tensor(images, "images"), as_tensor(labels, "labels")
    model = unwrap(model)
    masks = masks or {}
    weights = _weights(model)
    _check_masks(masks, weights)
    _check_statistics(model)
    with left_as_found(model), torch.inference_mode(False):
        _check_data(model, images, labels)
        samples = PerSample(model, weights, masks)
        norms = samples.norms(images, labels, _positive(samples.chunk() if chunk is None else chunk), vectorize)
    if bad := int((~norms.isfinite()).sum()):
        raise DataError(
            f"grand: {bad} samples have gradients that are not finite; "
            "the model has diverged: score an earlier epoch or lower the learning rate"
        )
    return norms.to(labels.device)


def _weights(model: nn.Module) -> Tensors:
    """Copies without hooks that share the parameters' memory."""
    weights = {name: p.detach().requires_grad_() for name, p in model.named_parameters() if p.requires_grad}
    if not weights:
        raise StateError("grand: expected weights that want gradients, got none; call model.requires_grad_(True)")
    return weights


def _check_masks(masks: Mapping[str, Tensor], weights: Tensors) -> None:
    for name in masks:
        if name not in weights:
            raise UnknownNameError("parameter that wants gradients", name, weights)
    fit.check(masks, {name: weights[name] for name in masks})


def _check_statistics(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise StateError(
                f"grand: batch norm {name!r} has no running statistics, so each sample's output depends on the others "
                "of its batch; build it with track_running_stats=True"
            )


def _check_data(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    if labels.ndim != 1 or len(labels) == 0 or len(images) != len(labels):
        raise DataError(
            f"grand: expected images (N, ...) and labels (N,), none empty, got {tuple(images.shape)} and "
            f"{tuple(labels.shape)}"
        )
    logits = _answer(model, images[:1])
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1 or logits.shape[1] < 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise DataError(f"grand: expected logits (1, C ≥ 2) from the model for one image, got {got}; wrap it so")
    check_labels(labels, logits.shape[1])


def _answer(model: nn.Module, image: Tensor) -> Tensor:
    """Of one image; where the model fails, and its weights are of another type than the image, the error says so."""
    try:
        with torch.no_grad():
            answer: Tensor = model(image.to(device_of(model, image.device)))
    except RuntimeError as error:
        own = next((weight.dtype for weight in model.parameters() if weight.is_floating_point()), image.dtype)
        if own == image.dtype:
            raise
        scale = " / 255" if image.dtype == torch.uint8 else ""
        raise DataError(
            f"grand: the model, of {own}, does not take images of {image.dtype} ({str(error).splitlines()[0]}); pass "
            f"images.to({own}){scale}, normalised as in its training"
        ) from error
    return answer


def _positive(chunk: int) -> int:
    if chunk < 1:
        raise SettingError(f"grand: expected chunk ≥ 1 sample, got {chunk}; leave it out for 256 MB of gradients")
    return chunk
