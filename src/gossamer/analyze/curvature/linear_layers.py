"""The linear layers of a network that can be taken unit by unit."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.live import Coordinates


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """The live coordinates of a linear layer, sorted by unit.

    Args:
        module: the layer.
        names: its parameters.
        positions: their coordinates in the network, (k,).
        units: the output that each feeds, ascending, (k,).
        inputs: the input that each takes; the bias takes an input behind the last, which is 1. (k,).
    """

    module: nn.Linear
    names: tuple[str, ...]
    positions: Tensor
    units: Tensor
    inputs: Tensor

    def rows_of(self, unit: int) -> slice:
        """The stretch of the coordinates that feed a unit."""
        ends = torch.searchsorted(self.units, torch.tensor([unit, unit + 1], device=self.units.device))
        return slice(*ends.tolist())


def linear_layers(mean_loss: MeanLoss) -> dict[str, LinearLayer]:
    """The linear layers that are taken unit by unit: used once, on one row of inputs a sample, weight untied.

    Args:
        mean_loss: of the network.

    Returns:
        The layers by the name of their weight, in the order in which the network uses them.
    """
    owned = {id(param): name for name, param in mean_loss.coordinates.params.items()}
    holders = [id(param) for module in mean_loss.model.modules() for param in module._parameters.values()]
    fit = {
        owned[id(module.weight)]: module
        for module in mean_loss.model.modules()
        if type(module) is nn.Linear and holders.count(id(module.weight)) == 1 and id(module.weight) in owned
        if module.bias is None or holders.count(id(module.bias)) == 1
    }
    used = _used(mean_loss, fit)
    return {name: _layer(mean_loss.coordinates, name, fit[name], owned) for name in used}


def _used(mean_loss: MeanLoss, modules: Mapping[str, nn.Linear]) -> list[str]:
    """Which are called just once, with one row of inputs a sample, in the order of their calls."""
    calls: dict[str, list[bool]] = {}

    def note(name: str, module: nn.Module, given: Any, output: Any) -> None:
        fits = len(given) == 1 and given[0].dim() == 2 and len(given[0]) == samples
        calls.setdefault(name, []).append(fits)

    with ExitStack() as stack, torch.no_grad():
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(partial(note, name)).remove)
        batches = stack.enter_context(closing(mean_loss.batches()))
        batch, _ = next(batches)
        samples = len(batch[1])
        mean_loss.at(mean_loss.weights, batch)
    return [name for name, fits in calls.items() if fits == [True]]


def _layer(where: Coordinates, name: str, module: nn.Linear, owned: Mapping[int, str]) -> LinearLayer:
    parts = dict(where.layers())
    device = module.weight.device
    alive = where.alive.get(name, torch.arange(module.weight.numel(), device=device))
    names, positions = [name], torch.arange(parts[name].start, parts[name].stop, device=device)
    units, inputs = alive // module.in_features, alive % module.in_features
    bias = owned.get(id(module.bias))
    if bias is not None:
        of_bias = where.alive.get(bias, torch.arange(module.out_features, device=device))
        names.append(bias)
        positions = torch.cat([positions, torch.arange(parts[bias].start, parts[bias].stop, device=device)])
        units, inputs = torch.cat([units, of_bias]), torch.cat([inputs, torch.full_like(of_bias, module.in_features)])
    order = units.argsort(stable=True)
    return LinearLayer(module, tuple(names), positions[order].cpu(), units[order], inputs[order])
