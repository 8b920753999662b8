"""Weights from a file of another program's: a state dict, perhaps of a wrapped network."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from gossamer.core.errors import DataError

WRAPPERS = ("module.", "_orig_mod.")  # of DataParallel and torch.compile; one may be inside the other


def read_weights(place: Path) -> dict[str, Tensor]:
    """The state dict in a file; reading never runs code.

    Args:
        place: the file.

    Returns:
        Tensors by name.

    Raises:
        DataError: it holds something else; the message says what, and where in it weights are.
    """
    try:
        if place.suffix == ".safetensors":
            return load_file(place)
        state = torch.load(place, weights_only=True, map_location="cpu")
    except Exception as error:  # both libraries raise many kinds, all of which mean the same here
        raise DataError(
            f"{place}: expected weights, got something else ({type(error).__name__}); save them with "
            "torch.save(model.state_dict(), 'NAME.pt') or safetensors, and name that file"
        ) from None
    if not _is_state(state):
        raise DataError(f"{place}: expected a state dict of tensors, got {_got(state)}")
    return dict(state)


def unwrapped(state: Mapping[str, Tensor], own: Iterable[str]) -> dict[str, Tensor]:
    """Weights of a network that was saved from inside DataParallel, DistributedDataParallel or torch.compile.

    Args:
        state: what was saved.
        own: the names that the network itself has.

    Returns:
        The weights without the wrapper's name, if all of them have it and fit the network better without it.

    Example:
        >>> unwrapped({"module._orig_mod.fc.weight": torch.zeros(1)}, ["fc.weight"])
        {'fc.weight': tensor([0.])}
    """
    names, candidates = set(own), [dict(state)]
    while prefix := next((each for each in WRAPPERS if _all_have(candidates[-1], each)), None):
        candidates.append({key.removeprefix(prefix): value for key, value in candidates[-1].items()})
    return max(candidates, key=lambda each: len(names & set(each)))  # the first of equals


def _all_have(names: Collection[str], prefix: str) -> bool:
    return bool(names) and all(name.startswith(prefix) for name in names)


def _is_state(content: object) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _got(content: object) -> str:
    """What a file holds instead of a state dict, and what to do about it."""
    inside = [key for key, value in content.items() if _is_state(value)] if isinstance(content, dict) else []
    if not inside:
        return f"a {type(content).__name__} of something else; save model.state_dict() alone"
    keys, first = " and ".join(repr(key) for key in inside), repr(inside[0])
    return (
        f"a dict that holds one under its key {keys}; pass the state dict inside: "
        f"torch.save(torch.load('FILE')[{first}], 'NAME.pt')"
    )
