"""Masks: a bool tensor per weight, True is alive, kept in a dictionary by parameter name."""

import warnings
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import StateError

Masks = dict[str, Tensor]


class LayerCollapseWarning(UserWarning):
    """A layer has no live weight left, so nothing passes through it."""


def live(masks: Mapping[str, Tensor]) -> int:
    """The number of live weights in all layers.

    Example:
        >>> live({"a": torch.tensor([True, False]), "b": torch.tensor([True])})
        2

    Returns:
        A whole number.
    """
    return sum(int(mask.count_nonzero()) for mask in masks.values())


def size(masks: Mapping[str, Tensor]) -> int:
    """The number of weights, alive or dead, in all layers.

    Example:
        >>> size({"a": torch.tensor([True, False]), "b": torch.tensor([True])})
        3

    Returns:
        A whole number.
    """
    return sum(mask.numel() for mask in masks.values())


def sparsity(masks: Mapping[str, Tensor]) -> float:
    """Share of zeros over all layers together, in [0, 1].

    Example:
        >>> sparsity({"a": torch.tensor([True, False]), "b": torch.tensor([True, True])})
        0.25

    Returns:
        Zeros divided by weights.
    """
    return 1 - live(masks) / size(masks)


def density(masks: Mapping[str, Tensor]) -> dict[str, float]:
    """Share of live weights of each layer, in [0, 1].

    Example:
        >>> density({"a": torch.tensor([True, False]), "b": torch.tensor([True, True])})
        {'a': 0.5, 'b': 1.0}

    Returns:
        The densities by name.
    """
    return {name: int(mask.count_nonzero()) / mask.numel() for name, mask in masks.items()}


def overlap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, float]:
    """Live in both divided by live in either (Jaccard), per layer: 1 for equal masks, 0 for disjoint ones.

    Args:
        first: masks of a network.
        second: masks with the same names and shapes.

    Returns:
        The overlap by name; 1 for two empty masks.

    Raises:
        StateError: names or shapes differ.

    Example:
        >>> overlap({"a": torch.tensor([True, True, False])}, {"a": torch.tensor([False, True, True])})
        {'a': 0.3333333333333333}
    """
    check(first, second)
    both = {name: int((mask & second[name]).sum()) for name, mask in first.items()}
    either = {name: int((mask | second[name]).sum()) for name, mask in first.items()}
    return {name: both[name] / either[name] if either[name] else 1.0 for name in first}


def check(masks: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse masks that do not fit weights.

    Args:
        masks: the masks.
        weights: the weights, or other masks, they should fit.

    Raises:
        StateError: a name is missing or extra, a mask is not bool, or a shape differs.

    Example:
        >>> check({"a": torch.tensor([True])}, {"a": torch.zeros(1)})
    """
    if set(masks) != set(weights):
        missing, extra = sorted(set(weights) - set(masks)), sorted(set(masks) - set(weights))
        raise StateError(
            f"expected masks for exactly the selected weights, got none for {missing} and {extra} besides; "
            "select the masked weights only: Sparsifier(..., where=masks)"
        )
    for name, mask in masks.items():
        if mask.dtype != torch.bool:
            raise StateError(f"expected a bool mask for {name!r}, got {mask.dtype}; True means alive: pass mask.bool()")
        if mask.shape != weights[name].shape:
            raise StateError(
                f"expected a mask of shape {tuple(weights[name].shape)} for {name!r}, got {tuple(mask.shape)}; "
                "these masks belong to another model"
            )


def apply_(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Write zeros into dead weights, in place; a NaN there becomes zero too, which a product would not do.

    Args:
        weights: tensors by name.
        masks: which of them live.

    Example:
        >>> weight = torch.tensor([1.0, float("nan")])
        >>> apply_({"a": weight}, {"a": torch.tensor([True, False])})
        >>> weight
        tensor([1., 0.])
    """
    with torch.no_grad():
        for name, mask in masks.items():
            weights[name].masked_fill_(~mask, 0)


def warn_of_collapse(masks: Mapping[str, Tensor], advice: str) -> None:
    """Name the layers that have no live weight left, in a ``LayerCollapseWarning``.

    Args:
        masks: the masks.
        advice: what to do about it.

    Example:
        >>> warn_of_collapse({"a": torch.tensor([True, False])}, "lower the sparsity")
    """
    empty = [name for name, mask in masks.items() if not bool(mask.any())]
    if empty:
        message = f"no live weight is left in {empty}: nothing passes there any more; {advice}"
        warnings.warn(message, LayerCollapseWarning, stacklevel=4)


def pack(masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Masks as bits, eight weights a byte, for the disk.

    Example:
        >>> pack({"a": torch.tensor([[True, False], [True, True]])})
        {'a': tensor([176], dtype=torch.uint8)}

    Returns:
        A flat uint8 tensor by name, on the CPU.
    """
    return {name: torch.from_numpy(np.packbits(mask.cpu().numpy().reshape(-1))) for name, mask in masks.items()}


def unpack(bits: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> Masks:
    """The masks that ``pack`` stored.

    Args:
        bits: what ``pack`` gave.
        shapes: the shape of each mask.

    Returns:
        The masks, on the CPU.

    Raises:
        StateError: names or sizes do not fit.

    Example:
        >>> unpack({"a": torch.tensor([176], dtype=torch.uint8)}, {"a": (2, 2)})["a"]
        tensor([[ True, False],
                [ True,  True]])
    """
    if set(bits) != set(shapes):
        odd = sorted(set(bits) ^ set(shapes))
        raise StateError(f"expected stored masks for {sorted(shapes)}, got a mismatch in {odd}; it is another model's")
    unpacked = {}
    for name, shape in shapes.items():
        expected = (prod(shape) + 7) // 8
        if bits[name].numel() != expected:
            raise StateError(
                f"expected {expected} bytes for the mask of {name!r} with shape {tuple(shape)}, got "
                f"{bits[name].numel()}; it is another model's"
            )
        flat = np.unpackbits(bits[name].cpu().numpy(), count=prod(shape)).astype(bool)
        unpacked[name] = torch.from_numpy(flat).reshape(tuple(shape))
    return unpacked
