"""Masks of one state or of several, and how dense states are."""

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from gossamer.core.named import select, unwrap

OneOrEach = Mapping[str, Tensor] | Sequence[Mapping[str, Tensor] | None] | None  # masks of all states, or of each


def one_each(masks: OneOrEach, count: int) -> list[Mapping[str, Tensor] | None]:
    """The masks of each of several states.

    Args:
        masks: of all of them, or one for each; None is unmasked.
        count: of states.

    Returns:
        As many.

    Raises:
        SettingError: a list of another length.

    Example:
        >>> one_each(None, 2)
        [None, None]
    """
    if masks is None or isinstance(masks, Mapping):
        return [masks] * count
    if len(masks) != count:
        raise SettingError(f"expected masks for all states or one each of {count}, got a list of {len(masks)}")
    return list(masks)


def union(first: Mapping[str, Tensor] | None, second: Mapping[str, Tensor] | None) -> dict[str, Tensor] | None:
    """Weights that live in either of two masks; None, which is everything, where one of them is None.

    Args:
        first: masks of a network.
        second: masks with the same names and shapes.

    Returns:
        Their union.

    Example:
        >>> import torch
        >>> union({"a": torch.tensor([True, False])}, {"a": torch.tensor([False, False])})
        {'a': tensor([ True, False])}
    """
    if first is None or second is None:
        return None
    mask_ops.check(first, second)
    return {name: mask | second[name].to(mask.device) for name, mask in first.items()}


def weight_names(model: nn.Module, *masks: Mapping[str, Tensor] | None) -> list[str]:
    """The weights whose share of non-zeros is a network's density.

    Args:
        model: the architecture.
        masks: their names, where there are any.

    Returns:
        Those names; without masks the weights of ``gossamer.core.named.select``, and all parameters if there are none.

    Example:
        >>> weight_names(nn.Linear(2, 1)), weight_names(nn.LayerNorm(2))
        (['weight'], ['weight', 'bias'])
    """
    named = list(dict.fromkeys(name for mask in masks for name in mask or ()))
    if named:
        return named
    try:
        return list(select(model))
    except SettingError:  # a toy without convolution or linear layers
        return [name for name, _ in unwrap(model).named_parameters()]


def density_of(state: Mapping[str, Tensor], names: Iterable[str]) -> float:
    """Share of non-zeros of some tensors together.

    Args:
        state: tensors by name.
        names: of those that count.

    Returns:
        A number in [0, 1].

    Example:
        >>> import torch
        >>> density_of({"a": torch.tensor([0.0, 2.0])}, ["a"])
        0.5
    """
    chosen = [state[name] for name in names]
    return sum(int(tensor.count_nonzero()) for tensor in chosen) / sum(tensor.numel() for tensor in chosen)
