"""The Hessian's rows of linear layers, unit by unit instead of weight by weight.

A weight wⱼₖ acts through the unit it feeds: ∂/∂wⱼₖ = aₖ ∂/∂zⱼ, with a the layer's inputs and z its outputs. As samples
do not mix, one derivative along "+1 on unit j, in every sample" gives each sample's own, and a matrix product over the
samples with a gives the rows of all of the unit's weights: 120 derivatives in place of 1,536 for the first linear layer
of a LeNet5 with 5 % of its weights.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, jvp, vmap
from torch.nn import functional as F

from gossamer.analyze.curvature.blocks import chunks
from gossamer.analyze.curvature.linear_layers import LinearLayer
from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.products import differentiating
from gossamer.analyze.passes import Batch

Signals = tuple[dict[str, Tensor], dict[str, Tensor]]  # of each layer: the loss's slope at its outputs, its inputs


def rows(
    mean_loss: MeanLoss, batch: Batch, layers: Mapping[str, LinearLayer], block: int
) -> Iterator[tuple[int, int, Tensor]]:
    """The Hessian of one batch, from each layer's first column on.

    Args:
        mean_loss: of the network.
        batch: inputs and labels.
        layers: of ``linear_layers``.
        block: units at once.

    Yields:
        First row and first column, counted from the first layer's first coordinate, and the entries.
    """
    network = _Network(mean_loss, batch, {name: layer.module for name, layer in layers.items()})
    slopes, inputs = network.signals(list(layers))
    known = {name: _Known.of(layer, slopes[name], inputs[name]) for name, layer in layers.items()}
    start = 0
    for place, (name, layer) in enumerate(layers.items()):
        behind = list(layers)[place:]
        for units in chunks(torch.unique(layer.units), block):
            moved = network.along(name, units, behind)
            for i, unit in enumerate(units.tolist()):
                own = layer.rows_of(unit)
                each = torch.cat([known[other].moved(moved[0][other][i], moved[1][other][i]) for other in behind])
                yield start + own.start, start, known[name].taken[own] @ each.T
        start += len(layer.positions)


@dataclass(frozen=True, eq=False)
class _Known:
    """What a layer's coordinates see of each sample: the input they take and the slope they feed, (k, N)."""

    layer: LinearLayer
    taken: Tensor
    fed: Tensor

    @classmethod
    def of(cls, layer: LinearLayer, slopes: Tensor, inputs: Tensor) -> "_Known":
        return cls(layer, F.pad(inputs, (0, 1), value=1.0).T[layer.inputs], slopes.T[layer.units])

    def moved(self, slopes: Tensor, inputs: Tensor) -> Tensor:
        """How each coordinate's gradient moves in each sample, of how (N, ...) slopes and inputs do; (k, N)."""
        change = slopes.T.contiguous().index_select(0, self.layer.units).mul_(self.taken)
        moved_inputs = F.pad(inputs, (0, 1)).T.contiguous()
        return change.addcmul_(moved_inputs.index_select(0, self.layer.inputs), self.fed)


@dataclass(frozen=True, eq=False)
class _Network:
    """A network whose linear layers' outputs can be pushed."""

    mean_loss: MeanLoss
    batch: Batch
    modules: Mapping[str, nn.Linear]

    def signals(self, names: list[str]) -> Signals:
        """At rest."""
        with differentiating(), torch.no_grad():
            return self._signals({name: self._rest(name) for name in names})

    def along(self, name: str, units: Tensor, behind: list[str]) -> Signals:
        """Derivatives of the signals of some layers along a push of each of some units of one; (b, N, ...)."""
        rest = {other: self._rest(other) for other in behind}
        pushes = rest[name].new_zeros(len(units), *rest[name].shape)
        pushes[torch.arange(len(units)), :, units] = 1

        def one(push: Tensor) -> Signals:
            found: Signals = jvp(lambda at: self._signals({**rest, name: at}), (rest[name],), (push,))[1]
            return found

        with differentiating(), torch.no_grad():
            signals: Signals = vmap(one)(pushes)
            return signals

    def _signals(self, pushes: Mapping[str, Tensor]) -> Signals:
        found: Signals = grad(self._loss, has_aux=True)(dict(pushes))
        return found

    def _loss(self, pushes: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        with _pushed({name: self.modules[name] for name in pushes}, pushes) as inputs:
            return self.mean_loss.at(self.mean_loss.weights, self.batch), inputs

    def _rest(self, name: str) -> Tensor:
        weight = self.mean_loss.weights[name]
        return weight.new_zeros(len(self.batch[1]), len(weight))


@contextmanager
def _pushed(modules: Mapping[str, nn.Linear], pushes: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Adds to the outputs of layers inside, and has what they were given."""
    inputs: dict[str, Tensor] = {}

    def push(name: str, module: nn.Module, given: Any, output: Tensor) -> Tensor:
        inputs[name] = given[0]
        return output + pushes[name]

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(partial(push, name)).remove)
        yield inputs
