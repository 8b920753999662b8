"""States of one architecture: read, checked against the model, masked, and put through it without changing it."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from gossamer.core import masks as mask_ops
from gossamer.core.errors import StateError
from gossamer.core.named import unwrap

State = Mapping[str, Tensor] | nn.Module


def state_of(model: nn.Module, given: State, masks: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """A copy of a network's parameters and buffers, with zeros where its masks say dead.

    Args:
        model: the architecture; its own weights do not matter. Wrappers such as ``DataParallel`` are looked through.
        given: a state dict, also one of a wrapped model, or a module.
        masks: bool by parameter name, True is alive; None leaves the state as it is.

    Returns:
        Tensors by name on the model's devices and of its types, a tied one once, under its first name.

    Raises:
        StateError: it belongs to another architecture, or the masks do not fit.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1, bias=False)
        >>> state_of(model, {"weight": torch.tensor([[3.0, 4.0]])}, {"weight": torch.tensor([[True, False]])})
        {'weight': tensor([[3., 0.]])}
    """
    own = _tensors(unwrap(model))
    tensors = _named(given, own)
    _check_names(tensors, own, known=set(unwrap(model).state_dict()))
    for name, like in own.items():
        if tensors[name].shape != like.shape:
            raise StateError(
                f"expected {name!r} of shape {tuple(like.shape)}, got {tuple(tensors[name].shape)}; "
                "only states of one architecture, with equal widths, can be compared"
            )
    state = {name: tensors[name].detach().to(like.device, like.dtype, copy=True) for name, like in own.items()}
    if masks is not None:
        _check_masks(masks, unwrap(model))
        mask_ops.apply_(state, {name: mask.to(state[name].device) for name, mask in masks.items()})
    return state


def outputs_at(model: nn.Module, state: Mapping[str, Tensor], inputs: Tensor) -> Any:
    """What the network gives with the weights and buffers of a state; its own are not touched.

    Args:
        model: in the modes that the caller has set.
        state: of :func:`state_of`; layers that update buffers do so in its tensors.
        inputs: a batch on any device.

    Returns:
        The model's outputs.

    Example:
        >>> import torch
        >>> outputs_at(nn.Linear(2, 1, bias=False), {"weight": torch.tensor([[3.0, 4.0]])}, torch.ones(1, 2))
        tensor([[7.]])
    """
    device = next((tensor.device for tensor in state.values()), inputs.device)
    return functional_call(unwrap(model), dict(state), (inputs.to(device),))


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers, a shared one once."""
    saved = set(model.state_dict())
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in saved}
    return {**dict(model.named_parameters()), **buffers}


def _named(given: object, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if isinstance(given, nn.Module):
        given = unwrap(given).state_dict()
    if not isinstance(given, Mapping):
        raise StateError(f"expected a state dict or a module, got {type(given).__name__}; pass model.state_dict()")
    names = {name: name if name in own else _without_wrapper(str(name)) for name in given}
    tensors = {names[name]: tensor for name, tensor in given.items() if not names[name].endswith("_extra_state")}
    if strangers := [name for name, tensor in tensors.items() if not isinstance(tensor, Tensor)]:
        raise StateError(
            f"expected a state dict of tensors, got something else for {_some(strangers)}; of a checkpoint, pass the "
            "part that holds model.state_dict()"
        )
    return tensors


def _without_wrapper(name: str) -> str:
    while (inner := name.removeprefix("_orig_mod.").removeprefix("module.")) != name:
        name = inner
    return name


def _check_names(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], known: set[str]) -> None:
    missing = [name for name in own if name not in tensors]
    extra = [name for name in tensors if name not in known]
    if missing or extra:
        raise StateError(
            f"expected a state of this model's architecture, got nothing for {_some(missing)} and {_some(extra)} "
            "besides; only states of one architecture can be compared: pass the model that both were trained with"
        )


def _check_masks(masks: Mapping[str, Tensor], model: nn.Module) -> None:
    named = dict(model.named_parameters())
    if strangers := [name for name in masks if name not in named]:
        raise StateError(
            f"expected masks of this model's parameters, got masks of {_some(strangers)} besides; these masks belong "
            "to another model, or name a tied weight by its second name"
        )
    mask_ops.check(masks, {name: named[name] for name in masks})


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{list(names[:3])}{more}"
