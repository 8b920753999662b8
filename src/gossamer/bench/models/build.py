"""Building a network by name."""

from collections import OrderedDict
from collections.abc import Sequence
from math import isfinite
from typing import Any

from torch import nn

from gossamer.bench.models.families import MODELS, check_keywords, factory_of
from gossamer.bench.models.normalize import Normalize
from gossamer.core.errors import SettingError


def build(
    name: str,
    *,
    num_classes: int,
    image_size: int,
    channels: int,
    width: float = 1.0,
    normalize: tuple[Sequence[float], Sequence[float]] | None = None,
    **settings: Any,
) -> nn.Module:
    """Build a network, drawing its weights from torch's global generator.

    Args:
        name: a name of :data:`MODELS`, or ``package.module:factory`` of the user's. The latter is called with the
            keywords num_classes, image_size and channels, with settings, and with width where it is not 1.
        num_classes: outputs, at least 2.
        image_size: side of the square images in pixels.
        channels: channels of the images.
        width: factor on all hidden widths, above 0; widths are rounded, and at least 1.
        normalize: mean and std per channel, put into the network as its first layer so that it takes images in
            [0, 1]. Parameter names of :data:`MODELS` are the same with and without; a network of the user's
            becomes ``network`` in a sequence.
        settings: further keywords of that network, such as ``hidden`` of lenet5 and mlp300.

    Returns:
        The network, on the CPU and in training mode.

    Raises:
        SettingError: a size out of range, an image size that this network cannot take, a setting it does not have,
            or a factory that is not there or returns something else than a network.

    Example:
        >>> model = build("lenet5", num_classes=10, image_size=28, channels=1, normalize=([0.13], [0.31]))
        >>> model.normalize
        Normalize(mean=[0.12...], std=[0.31...])
        >>> [name for name, _ in model.named_parameters()][:2]
        ['conv1.weight', 'conv1.bias']
    """
    _check_sizes(num_classes, image_size, channels, width)
    keywords = {"num_classes": num_classes, "image_size": image_size, "channels": channels, **settings}
    if width != 1.0:
        keywords["width"] = width
    factory = factory_of(name)
    check_keywords(name, factory, keywords)
    model = factory(**keywords)
    if not isinstance(model, nn.Module):
        raise SettingError(f"model {name!r} returned a {type(model).__name__}; it must return a torch.nn.Module")
    return model if normalize is None else _normalized(model, normalize, channels, own=name in MODELS)


def _normalized(
    model: nn.Module, normalize: tuple[Sequence[float], Sequence[float]], channels: int, *, own: bool
) -> nn.Module:
    mean, std = normalize
    if len(mean) != channels:
        raise SettingError(f"normalize has {len(mean)} means for images of {channels} channels; pass one per channel")
    if not own:
        return nn.Sequential(OrderedDict(normalize=Normalize(mean, std), network=model))
    model.normalize = Normalize(mean, std)
    return model


def _check_sizes(num_classes: int, image_size: int, channels: int, width: float) -> None:
    if num_classes < 2:
        raise SettingError(f"num_classes is {num_classes}; a classifier needs at least 2")
    if image_size < 1 or channels < 1:
        raise SettingError(f"image_size is {image_size} and channels {channels}; both must be at least 1")
    if not (isfinite(width) and width > 0):
        raise SettingError(f"width is {width}; it must be a finite number above 0")
