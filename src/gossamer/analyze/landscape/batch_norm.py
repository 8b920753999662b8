"""Batch-norm statistics of weights that were never trained: averages over the data, as at a point between two networks.

The running statistics of a mixture of networks are not the mixture of their running statistics, so a path is wrongly
high wherever they are not taken anew (Izmailov et al. 2018, arXiv:1803.05407).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gossamer.analyze.landscape.states import outputs_at, state_of
from gossamer.analyze.passes import Data, Passes
from gossamer.core.errors import DataError
from gossamer.core.modes import evaluating, left_as_found
from gossamer.core.named import unwrap


def reestimate_batch_norm_(model: nn.Module, data: Data, *, batch_size: int = 1000) -> None:
    """Take a network's batch-norm statistics anew, in place, as averages over one pass; a network without has none.

    Every batch counts by its samples, running ← running + samples of the batch / samples so far · (its own - running).
    Only batch-norm layers are in training mode meanwhile; dropout is off, momenta and modes are left as found.
    Layers that the forward pass does not use keep what they have.

    Args:
        model: any network.
        data: a pair ``(inputs, labels)``, a list of such pairs or a DataLoader without shuffling; labels are ignored.
        batch_size: samples at once, where a pair is given. Larger ones are nearer to the statistics of all samples.

    Raises:
        DataError: a batch of a single sample, which has no variance.

    Example:
        >>> model = nn.BatchNorm1d(1)
        >>> reestimate_batch_norm_(model, (torch.tensor([[1.0], [3.0], [5.0], [7.0]]), torch.zeros(4)), batch_size=2)
        >>> model.running_mean, model.running_var
        (tensor([4.]), tensor([2.]))
    """
    with left_as_found(model):
        fresh = reestimated(model, state_of(model, model), Passes(data, batch_size))
    inner = unwrap(model)
    with torch.no_grad():
        for name in _layers(inner):
            for buffer in _statistics(name):
                inner.get_buffer(buffer).copy_(fresh[buffer])


def reestimated(model: nn.Module, state: Mapping[str, Tensor], data: Passes) -> dict[str, Tensor]:
    """A state with its batch-norm statistics taken anew; see :func:`reestimate_batch_norm_`.

    Args:
        model: the architecture; not changed.
        state: its tensors by name; not changed.
        data: read once, or not at all if there is no batch norm.

    Returns:
        A state whose other tensors are those given.

    Raises:
        DataError: a batch of a single sample.

    Example:
        >>> data = Passes((torch.tensor([[1.0], [3.0]]), torch.zeros(2)))
        >>> reestimated(nn.BatchNorm1d(1), state_of(nn.BatchNorm1d(1), nn.BatchNorm1d(1)), data)["running_mean"]
        tensor([2.])
    """
    layers = _layers(unwrap(model))
    if not layers:
        return dict(state)
    fresh = {**state, **_reset(layers, state)}
    seen = 0
    with torch.no_grad(), evaluating(model), batch_statistics(model):
        for inputs, _ in data:
            if len(inputs) < 2:
                raise DataError(
                    "expected batches of two samples or more to estimate batch-norm statistics from, got one of 1; "
                    "choose another batch_size, or drop the last batch"
                )
            seen += len(inputs)
            for layer in layers.values():
                layer.momentum = len(inputs) / seen
            outputs_at(model, fresh, inputs)
    for name in layers:
        if not fresh[_statistics(name)[2]]:  # not used in the forward pass
            fresh.update({buffer: state[buffer] for buffer in _statistics(name)})
    return fresh


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Batch-norm layers in training mode inside; their modes and momenta as before outside.

    Args:
        model: the other layers' modes are not changed.

    Example:
        >>> model = nn.Sequential(nn.BatchNorm1d(1), nn.Dropout()).eval()
        >>> with batch_statistics(model):
        ...     print([module.training for module in model])
        [True, False]
    """
    layers = list(_layers(unwrap(model)).values())
    found = [(layer.training, layer.momentum) for layer in layers]
    try:
        for layer in layers:
            layer.train()
        yield
    finally:
        for layer, (training, momentum) in zip(layers, found, strict=True):
            layer.training, layer.momentum = training, momentum


def _layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """The batch-norm layers that keep running statistics; the others always use those of the batch."""
    named = model.named_modules()
    return {name: layer for name, layer in named if isinstance(layer, _BatchNorm) and layer.running_mean is not None}


def _statistics(layer: str) -> list[str]:
    prefix = f"{layer}." if layer else ""
    return [prefix + buffer for buffer in ("running_mean", "running_var", "num_batches_tracked")]


def _reset(layers: Mapping[str, _BatchNorm], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    buffers: dict[str, Tensor] = {}
    for name in layers:
        mean, variance, batches = _statistics(name)
        buffers[mean], buffers[variance] = torch.zeros_like(state[mean]), torch.ones_like(state[variance])
        buffers[batches] = torch.zeros_like(state[batches])
    return buffers
