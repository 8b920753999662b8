"""Initial values for sparse networks (P3, Evci et al. 2022, arXiv:2010.03533): each live weight knows its neighbours.

A dense initialisation gives every weight the variance scale/fan of the *dense* layer, so a sparse network's signal
fades.  Either the whole layer is scaled up by its density, or every neuron by the number of its live inputs.
"""

from collections.abc import Callable, Mapping
from math import prod, sqrt
from typing import Literal

import torch
from torch import Tensor

from gossamer.core.errors import SettingError

Fan = Literal["in", "out", "average"]
Law = Literal["normal", "uniform"]
Initializer = Callable[..., None]

HE = 2.0  # variance 2 / fan-in, for ReLU networks; the paper's text.  Its released code (init_utils.py) has 1


def dense_(
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    scale: float = HE,
    fan: Fan = "in",
    law: Law = "normal",
) -> None:
    """Draw as for a dense layer and mask: variance scale / fan, fan counted over all inputs (He et al. 2015).

    Args:
        weights: the tensors to fill, (outputs, inputs, kernel...).
        masks: who lives; the dead become zero.
        generator: on the CPU.
        scale: 2 for He, 1 for Glorot (with ``fan="average"``).
        fan: inputs of an output, outputs of an input, or the mean of both.
        law: normal (not truncated) or uniform, of the same variance.

    Example:
        >>> weight, mask = torch.empty(300, 200), torch.ones(300, 200, dtype=torch.bool)
        >>> dense_({"w": weight}, {"w": mask}, torch.Generator().manual_seed(0))
        >>> round(float(weight.var()) * 200, 1)
        2.0
    """
    for name, weight in weights.items():
        everyone = torch.ones_like(masks[name])
        _fill_(weight, masks[name], scale / _fans(everyone, fan), law, generator)


def scaled_per_layer_(
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    scale: float = HE,
    fan: Fan = "in",
    law: Law = "normal",
) -> None:
    """The dense draw divided by the square root of the layer's density (Liu et al. 2019, as P3 compares it).

    Args:
        weights: the tensors to fill, (outputs, inputs, kernel...).
        masks: who lives; the dead become zero.
        generator: on the CPU.
        scale: variance times fan at density 1.
        fan: see ``dense_``.
        law: see ``dense_``.

    Example:
        >>> weight, mask = torch.empty(300, 200), torch.rand(300, 200) < 0.5
        >>> scaled_per_layer_({"w": weight}, {"w": mask}, torch.Generator().manual_seed(0))
        >>> round(float(weight[mask].var()) * 100, 1)
        2.0
    """
    for name, weight in weights.items():
        mask = masks[name]
        density = max(int(mask.count_nonzero()), 1) / mask.numel()
        _fill_(weight, mask, scale / (_fans(torch.ones_like(mask), fan) * density), law, generator)


def scaled_per_neuron_(
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    scale: float = HE,
    fan: Fan = "in",
    law: Law = "normal",
) -> None:
    """P3's sparse initialisation: w_ij ~ N(0, 2 / fan-in_i), fan-in_i the number of live inputs of neuron i.

    Args:
        weights: the tensors to fill, (outputs, inputs, kernel...).
        masks: who lives; the dead become zero.
        generator: on the CPU.
        scale: variance times the neuron's live fan; P3's text has 2, its released code 1.
        fan: live inputs of each output, live outputs of each input, or the mean of both for each weight.
        law: see ``dense_``.

    Example:
        >>> weight, mask = torch.empty(2, 10_000), torch.ones(2, 10_000, dtype=torch.bool)
        >>> mask[0, 100:] = False
        >>> scaled_per_neuron_({"w": weight}, {"w": mask}, torch.Generator().manual_seed(0))
        >>> round(float(weight[1].var()) * 10_000, 1), int(weight[0].count_nonzero())
        (2.0, 100)
    """
    for name, weight in weights.items():
        _fill_(weight, masks[name], scale / _fans(masks[name], fan).clamp(min=1), law, generator)


INITIALIZERS: dict[str, Initializer] = {
    "dense": dense_,
    "scaled_per_layer": scaled_per_layer_,
    "scaled_per_neuron": scaled_per_neuron_,
}


def _fans(mask: Tensor, fan: Fan) -> Tensor:
    """The live connections that a weight shares a neuron with, broadcastable to its shape."""
    # dimension 0 counts as outputs and 1 as inputs, as in torch's initialisers, in transposed convolutions too
    if mask.dim() < 2:
        raise SettingError(
            f"expected weights of at least 2 dimensions, (outputs, inputs, ...), got shape {tuple(mask.shape)}; "
            "select convolution and linear weights only"
        )
    kernel = tuple(range(2, mask.dim()))
    inputs = mask.sum(dim=(1, *kernel), keepdim=True).float()
    outputs = mask.sum(dim=(0, *kernel), keepdim=True).float()
    choices = {"in": inputs, "out": outputs, "average": (inputs + outputs) / 2}
    if fan not in choices:
        raise SettingError(f"expected fan 'in', 'out' or 'average', got {fan!r}; He uses 'in'")
    return choices[fan]


def _fill_(weight: Tensor, mask: Tensor, variance: Tensor, law: Law, generator: torch.Generator) -> None:
    """Independent draws of this variance for the live, zeros for the dead."""
    if law == "normal":
        unit = torch.randn(weight.shape, generator=generator)
    elif law == "uniform":
        unit = (torch.rand(weight.shape, generator=generator) * 2 - 1) * sqrt(3)
    else:
        raise SettingError(f"expected law 'normal' or 'uniform', got {law!r}; both have the same variance")
    assert prod(weight.shape) == mask.numel()
    with torch.no_grad():
        weight.copy_(unit.to(weight.device) * variance.sqrt()).masked_fill_(~mask, 0)
