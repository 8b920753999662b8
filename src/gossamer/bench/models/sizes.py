"""Widths and image sizes, checked the same way by every network."""

from collections.abc import Sequence

from gossamer.core.errors import SettingError


def scaled(widths: Sequence[int], width: float) -> list[int]:
    """Multiply layer widths by a factor, rounded, never below 1.

    Args:
        widths: units or channels of each layer.
        width: the factor.

    Returns:
        The scaled widths.

    Example:
        >>> scaled([300, 100], 0.004)
        [1, 1]
    """
    return [max(1, round(w * width)) for w in widths]


def at_least(model: str, smallest: int, image_size: int) -> None:
    """Refuse images that the network's convolutions and poolings would shrink to nothing.

    Args:
        model: the network's name, for the message.
        smallest: least side that works, in pixels.
        image_size: the side asked for.

    Raises:
        SettingError: image_size is below smallest.
    """
    if image_size < smallest:
        raise SettingError(
            f"{model} needs images of {smallest}x{smallest} or more, not {image_size}x{image_size}; "
            "convnet, mlp300 and resnet18 take any size"
        )


def hidden_widths(model: str, default: Sequence[int], hidden: Sequence[int] | None, width: float) -> list[int]:
    """Return the widths of a network's hidden layers.

    Args:
        model: the network's name, for the message.
        default: the paper's widths.
        hidden: the user's own, as many, or None for the default.
        width: factor on all of them.

    Returns:
        The widths to build.

    Raises:
        SettingError: hidden has another length than the default, or a width below 1.
    """
    if hidden is None:
        return scaled(default, width)
    if len(hidden) != len(default) or min(hidden) < 1:
        raise SettingError(
            f"{model} takes hidden=({', '.join(map(str, default))}) or {len(default)} other widths of at least 1, "
            f"not {tuple(hidden)}"
        )
    return scaled(hidden, width)
