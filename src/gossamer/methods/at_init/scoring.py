"""What all scores share: a copy to try things on, random numbers that stay inside, gradients of the loss."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.errors import StateError
from gossamer.core.named import CONVOLUTIONS, Params, Where, select, unwrap
from gossamer.methods.at_init.data import Batch

Loss = Callable[[Any, Any], Tensor]


@contextmanager
def isolated(model: nn.Module, seed: int) -> Iterator[None]:
    """Within it torch's global generators start at ``seed``; after it they are as before.

    Dropout and a shuffling loader draw from them.

    Args:
        model: the generators of its devices are meant.
        seed: where they start.

    Example:
        >>> model, before = nn.Linear(1, 1), torch.get_rng_state()
        >>> with isolated(model, 0):
        ...     _ = torch.rand(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    graphics = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(graphics):
        torch.default_generator.manual_seed(seed)
        for index in graphics:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield


def working_copy(model: nn.Module, where: Where, dtype: torch.dtype | None = None) -> tuple[nn.Module, Params]:
    """A copy of a model, modes included, of which only the selected weights want gradients.

    Args:
        model: stays as it is; wrappers are looked through.
        where: which weights, see ``select``.
        dtype: of the copy's floating-point tensors; None keeps it.

    Returns:
        The copy and its selected weights by name.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
        >>> network, weights = working_copy(model, ["0.weight"])
        >>> [name for name, parameter in network.named_parameters() if parameter.requires_grad]
        ['0.weight']
    """
    chosen = select(model, where)  # on the original: a predicate may compare with its parameters
    network = deepcopy(unwrap(model)).to(dtype=dtype)
    named = dict(network.named_parameters())
    for name, parameter in named.items():
        parameter.requires_grad_(name in chosen)
    return network, {name: named[name] for name in chosen}


def redraw_(network: nn.Module, seed: int, layers: tuple[type[nn.Module], ...] = (*CONVOLUTIONS, nn.Linear)) -> None:
    """Give layers new weights, normal with Glorot and Bengio's variance 2 / (fan-in + fan-out).

    Args:
        network: changed in place.
        seed: of the draw.
        layers: which classes of layers.

    Example:
        >>> layer = nn.Linear(100, 300)
        >>> redraw_(layer, 0)
        >>> round(float(layer.weight.detach().var()) * 200, 1)
        1.0
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, layers) and isinstance(module.weight, Tensor):
            drawn = nn.init.xavier_normal_(torch.empty(module.weight.shape), generator=generator)
            module.weight.data.copy_(drawn)


def gradients(
    network: nn.Module, loss_fn: Loss, batch: Batch, weights: Mapping[str, Tensor], create_graph: bool = False
) -> dict[str, Tensor]:
    """The gradient of one batch's loss by name, without touching ``.grad``; zero for a weight that takes no part.

    Args:
        network: called with the inputs, in the modes it has.
        loss_fn: ``(outputs, targets)`` to one number.
        batch: inputs and targets.
        weights: with respect to these.
        create_graph: whether the gradient will be differentiated again.

    Returns:
        Tensors of the weights' shapes.

    Raises:
        StateError: the loss is no single number, or does not depend on the weights.

    Example:
        >>> network, weights = working_copy(nn.Linear(2, 1, bias=False), None)
        >>> batch = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, 1)
        >>> gradients(network, lambda outputs, targets: (outputs - targets).mean(), batch, weights)
        {'weight': tensor([[2., 3.]])}
    """
    inputs, targets = batch
    with torch.enable_grad():
        loss = loss_fn(network(inputs), targets)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise StateError(f"expected one number as loss, got {got}; use reduction='mean'")
        if not loss.requires_grad:
            raise StateError(
                "expected a loss that depends on the selected weights, got a constant; "
                "look for detach() or no_grad() in the model, or widen `where`"
            )
        parts = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph, materialize_grads=True)
    return dict(zip(weights, parts, strict=True))


def mean_gradients(
    network: nn.Module, loss_fn: Loss, batches: Sequence[Batch], weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The mean of the batches' gradients, each weighed by its number of samples.

    Args:
        network: see ``gradients``.
        loss_fn: a mean over samples.
        batches: at least one.
        weights: with respect to these.

    Returns:
        Tensors of the weights' shapes: the gradient of the mean loss over all samples.

    Example:
        >>> network, weights = working_copy(nn.Linear(1, 1, bias=False), None)
        >>> batches = [(torch.ones(1, 1), torch.zeros(1, 1)), (torch.full((3, 1), 5.0), torch.zeros(3, 1))]
        >>> mean_gradients(network, lambda outputs, targets: outputs.mean(), batches, weights)
        {'weight': tensor([[4.]])}
    """
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for batch, share in zip(batches, shares(batches), strict=True):
        for name, part in gradients(network, loss_fn, batch, weights).items():
            total[name] += share * part
    return total


def shares(batches: Sequence[Batch]) -> list[float]:
    """Each batch's share of all samples.

    Returns:
        Numbers that sum to 1.

    Example:
        >>> shares([(torch.zeros(1, 2), None), (torch.zeros(3, 2), None)])
        [0.25, 0.75]
    """
    samples = sum(len(inputs) for inputs, _ in batches)
    return [len(inputs) / samples for inputs, _ in batches]
