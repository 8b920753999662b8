"""From scores to masks: what makes scores unfit, the best of the whole network, and layers that end up empty."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError, StateError
from gossamer.core.masks import Masks
from gossamer.core.rewire import keep_largest

Scores = dict[str, Tensor]


def check_finite(scores: Mapping[str, Tensor]) -> None:
    """Refuse scores that cannot be compared.

    Args:
        scores: importance by name.

    Raises:
        StateError: one is infinite or NaN; the message names the layers.

    Example:
        >>> check_finite({"a": torch.zeros(2)})
    """
    odd = {name: int((~score.isfinite()).sum()) for name, score in scores.items()}
    if any(odd.values()):
        raise StateError(
            f"expected finite scores, got { ({name: count for name, count in odd.items() if count}) } that are not; "
            "look for NaN or infinity in the weights, the batch or the loss"
        )


def check_spoken(scores: Mapping[str, Tensor]) -> None:
    """Refuse scores that are all zero: choosing by them would be random pruning under another name.

    Args:
        scores: importance by name, finite.

    Raises:
        StateError: every score is exactly zero.

    Example:
        >>> check_spoken({"a": torch.tensor([0.0, 1.0])})
    """
    if not any(bool(score.any()) for score in scores.values()):
        raise StateError(
            "expected some weight to matter, got a score of 0 for all; look for zero weights, a saturated loss or "
            "dead units, or prune at random: Random(sparsity=...)"
        )


def best(scores: Mapping[str, Tensor], count: int, generator: torch.Generator, floor: int) -> Masks:
    """The masks of the ``count`` best weights, all layers of the network compared with one another.

    Args:
        scores: importance by name, larger is better.
        count: how many live, exactly.
        generator: chooses among equal scores.
        floor: so many of each layer live whatever their scores.

    Returns:
        The masks.

    Example:
        >>> best({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([8.0, 9.0])}, 2, torch.Generator(), floor=1)
        {'a': tensor([False,  True]), 'b': tensor([False,  True])}
    """
    check_floor(floor, {name: score.shape for name, score in scores.items()}, count)
    everyone = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    return keep_largest(scores, everyone, count, generator, floor)


def check_floor(floor: int, shapes: Mapping[str, Sequence[int]], count: int) -> None:
    """Refuse a floor below 0, or one that the live weights cannot fill.

    Args:
        floor: weights that each layer keeps whatever their scores.
        shapes: shape of each weight by name.
        count: live weights of all layers.

    Raises:
        SettingError: it is negative or too high.

    Example:
        >>> check_floor(1, {"a": (2, 3), "b": (4, 2)}, 2)
    """
    if floor < 0:
        raise SettingError(f"expected floor ≥ 0, got {floor}; floor=1 keeps a weight in every layer")
    reserved = sum(min(floor, prod(shape)) for shape in shapes.values())
    if reserved > count:
        raise SettingError(
            f"floor={floor} needs {reserved} live weights in {len(shapes)} layers, the sparsity leaves {count}; "
            "lower floor or sparsity"
        )


def warn_of_collapse(masks: Masks) -> Masks:
    """Warn of layers without a live weight, by name; called by the functions that users call.

    Args:
        masks: the result of a selection.

    Returns:
        The same masks.

    Example:
        >>> warn_of_collapse({"a": torch.tensor([True])})
        {'a': tensor([True])}
    """
    mask_ops.warn_of_collapse(masks, "lower the sparsity or set floor=1")
    return masks
