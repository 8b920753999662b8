"""The floating-point operations of a forward pass, layer by layer.

The convention is that of RigL (Evci et al. 2020, arXiv:1911.11134): a multiply-add is two operations, and only
convolutions and linear layers count. Bias, normalisation and activations are left out; so are matrix products that
have no weights, such as attention scores, layers whose weight is reparametrised (weight norm), and modules of one's
own that call ``torch.nn.functional``.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.errors import SettingError
from gossamer.core.named import CONVOLUTIONS, unwrap

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class LayerCost:
    """What one weight tensor costs in a forward pass of one sample.

    Attributes:
        weights: entries of the tensor, dead ones included.
        flops_per_weight: operations per live entry: 2 · the positions it is applied at, summed over all calls.
    """

    weights: int
    flops_per_weight: int


def layer_costs(model: nn.Module, input_shape: Sequence[int]) -> dict[str, LayerCost]:
    """Measure what each convolution and linear weight costs in a forward pass of one sample.

    The model runs once, on zeros, in evaluation mode and without gradients; modes and random state are left as found.

    Args:
        model: any network whose forward pass takes one batched tensor; it may live on the meta device.
        input_shape: shape of one sample, without the batch: ``(C, H, W)`` for images.

    Returns:
        One entry per weight tensor, named and ordered as by :func:`gossamer.core.named.select`. A tensor shared by
        several layers, or a layer called several times, has the sum over its calls; a layer never called has 0.

    Example:
        >>> layer_costs(nn.Conv2d(3, 8, kernel_size=3, padding=1), (3, 32, 32))
        {'weight': LayerCost(weights=216, flops_per_weight=2048)}
    """
    model = unwrap(model)
    positions = {id(weight): 0 for module in model.modules() for weight in _weights(module)}

    def count(module: nn.Module, inputs: tuple[Any, ...], named_inputs: dict[str, Any], output: Any) -> None:
        for weight, times in zip(_weights(module), _uses(module, inputs, named_inputs, output), strict=True):
            positions[id(weight)] += times

    with ExitStack() as stack:
        stack.enter_context(_left_as_found(model))
        for module in filter(_weights, model.modules()):
            stack.callback(module.register_forward_hook(count, with_kwargs=True).remove)
        model(_zeros(model, input_shape))
    counted = {name: p for name, p in model.named_parameters() if id(p) in positions}
    return {name: LayerCost(p.numel(), 2 * positions[id(p)]) for name, p in counted.items()}


def forward_flops(
    model: nn.Module, input_shape: Sequence[int], masks: Mapping[str, Tensor] | None = None
) -> dict[str, int]:
    """Count the operations of a forward pass of one sample, layer by layer.

    Args:
        model: any network whose forward pass takes one batched tensor.
        input_shape: shape of one sample, without the batch: ``(C, H, W)`` for images.
        masks: bool tensors by parameter name, True where a weight is alive; layers without one are dense.

    Returns:
        Operations, 2 · live weights · positions, by parameter name.

    Raises:
        SettingError: a mask names no convolution or linear weight, or its shape is not the weight's.

    Example:
        >>> layer = nn.Conv2d(1, 1, kernel_size=2, bias=False)
        >>> mask = torch.tensor([[[[True, False], [False, True]]]])
        >>> forward_flops(layer, (1, 5, 5)), forward_flops(layer, (1, 5, 5), {"weight": mask})
        ({'weight': 128}, {'weight': 64})
    """
    costs = layer_costs(model, input_shape)
    live = {name: cost.weights for name, cost in costs.items()}
    for name, mask in (masks or {}).items():
        check_counted(name, costs)
        shape = unwrap(model).get_parameter(name).shape
        if mask.shape != shape:
            raise SettingError(f"the mask of {name!r} has shape {tuple(mask.shape)}, its weight {tuple(shape)}")
        live[name] = int(mask.count_nonzero())
    return {name: live[name] * cost.flops_per_weight for name, cost in costs.items()}


def check_counted(name: str, costs: Mapping[str, LayerCost]) -> None:
    """Refuse a weight whose operations were not measured.

    Args:
        name: name of a parameter.
        costs: the network's :func:`layer_costs`.

    Raises:
        SettingError: it is not among them.
    """
    if name not in costs:
        raise SettingError(
            f"cannot count the operations of {name!r}, which is not a weight of a convolution or linear layer of this "
            f"model; leave it out, the others are {', '.join(costs)}"
        )


def _weights(module: nn.Module) -> list[nn.Parameter]:
    if isinstance(module, nn.MultiheadAttention):  # its projections are bare parameters, and out_proj is never called
        weights = (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        return [w for w in (*weights, module.out_proj.weight) if isinstance(w, nn.Parameter)]
    weight = module.weight if isinstance(module, (*CONVOLUTIONS, nn.Linear)) else None
    return [weight] if isinstance(weight, nn.Parameter) else []


def _uses(module: nn.Module, inputs: tuple[Any, ...], named_inputs: dict[str, Any], output: Any) -> list[int]:
    """How many positions each weight of a layer was applied at; grouping is already in the weight's shape."""
    if isinstance(module, nn.MultiheadAttention):
        return _attention_uses(module, dict(zip(("query", "key", "value"), inputs, strict=False)) | named_inputs)
    if isinstance(module, TRANSPOSED):  # each input position meets the whole kernel
        entering = inputs[0] if inputs else named_inputs["input"]
        return [entering.numel() // module.in_channels]
    (weight,) = _weights(module)
    return [output.numel() // weight.shape[0]]


def _attention_uses(module: nn.MultiheadAttention, tokens: Mapping[str, Tensor]) -> list[int]:
    query, key, value = (tokens[name].numel() // tokens[name].shape[-1] for name in ("query", "key", "value"))
    if len(_weights(module)) == 4:
        return [query, key, value, query]
    if not query == key == value:  # thirds of one tensor then have different costs
        raise SettingError(
            f"cannot count an attention layer that projects {query} queries, {key} keys and {value} values with one "
            "weight tensor; build it with separate projections (kdim=..., vdim=... other than embed_dim)"
        )
    return [query, query]


def _zeros(model: nn.Module, input_shape: Sequence[int]) -> Tensor:
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype)


@contextmanager
def _left_as_found(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; every module's own mode and the random state as before outside."""
    modes = {module: module.training for module in model.modules()}
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.no_grad(), torch.random.fork_rng(devices=sorted(devices)), _eager():
        model.eval()
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training


def _eager() -> AbstractContextManager[None]:
    """Compiled graphs skip the counting hooks; nothing can be compiled before dynamo, a 1.5 s import, is there."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
