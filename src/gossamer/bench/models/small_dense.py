"""The fair dense opponent: the widest network of a family within a budget of weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gossamer.bench.models.build import build
from gossamer.core.errors import SettingError
from gossamer.core.named import select

WIDEST = 1024.0  # beyond any budget that fits a machine: resnet18 at this width has 1.2e13 weights


def small_dense(
    name: str,
    budget: int,
    *,
    num_classes: int,
    image_size: int,
    channels: int,
    normalize: tuple[Sequence[float], Sequence[float]] | None = None,
    **settings: Any,
) -> nn.Module:
    """Build the widest dense network of a family whose weights do not exceed a budget.

    It is the fair dense opponent of a sparse network with that many live weights. Widths come from one factor, found
    by :func:`small_dense_width`. The opponents of Evci et al. 2022 have widths of their own:
    ``build("lenet5", hidden=(3, 3, 27, 20), ...)`` and ``build("mlp300", hidden=(8, 8), ...)``.

    Args:
        name: as in :func:`build`; a factory of the user's must take ``width``.
        budget: weights allowed, counted over those that :func:`gossamer.core.named.select` names.
        num_classes: outputs.
        image_size: side of the square images in pixels.
        channels: channels of the images.
        normalize: as in :func:`build`.
        settings: as in :func:`build`.

    Returns:
        The network.

    Example:
        >>> model = small_dense("mlp300", 5_324, num_classes=10, image_size=28, channels=1)
        >>> model.fc1.weight.shape, model.fc2.weight.shape
        (torch.Size([6, 784]), torch.Size([2, 6]))
    """
    sizes: dict[str, Any] = {"num_classes": num_classes, "image_size": image_size, "channels": channels, **settings}
    width = small_dense_width(name, budget, **sizes)
    return build(name, width=width, normalize=normalize, **sizes)


def small_dense_width(
    name: str, budget: int, *, num_classes: int, image_size: int, channels: int, **settings: Any
) -> float:
    """Find, by bisection, the largest width factor whose weights do not exceed a budget.

    Args:
        name: as in :func:`build`; a factory of the user's must take ``width``.
        budget: weights allowed, counted over those that :func:`gossamer.core.named.select` names.
        num_classes: outputs.
        image_size: side of the square images in pixels.
        channels: channels of the images.
        settings: as in :func:`build`.

    Returns:
        The factor, within 1e-9 of the largest.

    Raises:
        SettingError: even one unit a layer exceeds the budget, or no width does.

    Example:
        >>> round(small_dense_width("mlp300", 266_200, num_classes=10, image_size=28, channels=1), 3)
        1.002
    """
    sizes = {"num_classes": num_classes, "image_size": image_size, "channels": channels, **settings}

    def fits(width: float) -> bool:
        return _weights(name, width, sizes) <= budget

    low, high = 1e-9, 1.0
    if not fits(low):
        least = _weights(name, low, sizes)
        raise SettingError(f"a budget of {budget} weights is below the {least} of {name} with one unit a layer")
    while fits(high):
        if high >= WIDEST:
            raise SettingError(f"{name} stays within {budget} weights at {high:.0f} times its width; lower the budget")
        low, high = high, 2 * high
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _weights(name: str, width: float, sizes: dict[str, Any]) -> int:
    with torch.device("meta"):  # shapes without memory, and no draw from the generator
        model = build(name, width=width, **sizes)
    return sum(weight.numel() for weight in select(model).values())
