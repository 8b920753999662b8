"""SynFlow: the weights on the strongest paths from input to output, found round by round, without data."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.distribution import live_weights
from gossamer.core.errors import DataError, SettingError
from gossamer.core.masks import Masks, apply_, size
from gossamer.core.named import Params, Where, select, shapes
from gossamer.core.rewire import keep_largest
from gossamer.methods.at_init.data import Data, first_batches
from gossamer.methods.at_init.positive import positive_copy
from gossamer.methods.at_init.scoring import Loss, gradients, isolated
from gossamer.methods.at_init.selection import Scores, check_finite, check_floor, check_spoken, warn_of_collapse


def synflow(
    model: nn.Module,
    loss_fn: Loss | None,
    batch_or_loader: Data,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    rounds: int = 100,
    floor: int = 0,
    biases: bool = False,
) -> Masks:
    """SynFlow (Tanaka et al. 2020, arXiv:2006.05467): iterative pruning by synaptic flow, without a look at the data.

    On a copy with weights |θ| and an input of ones, R = Σ outputs is the total weight of all paths from input to
    output, and θ ⊙ ∂R/∂θ the weight of the paths through a connection.  That sum is the same in every layer that all
    paths cross, so that none of these is emptied before the others; in each of the rounds the weakest go, until after
    round k the density is (1 - sparsity)^(k / rounds).  Of parallel branches the weaker one can lose all, such as the
    shortcuts of ResNet18 at 95 %; then a ``LayerCollapseWarning`` names it.

    The copy computes in float64, since R of a ResNet34 is near 1e54 and float32 ends at 3e38, and in eval mode.  Batch
    and instance norm keep their running variance and |γ|; means, β and all biases are 0, because whatever a layer adds
    of its own breaks the balance between layers.  The model, its gradients, buffers and modes, and torch's random
    state stay as they are.

    Args:
        model: at its initialisation.
        loss_fn: not used; None will do.
        batch_or_loader: only the shape of the inputs counts: a pair ``(inputs, targets)`` or a loader of pairs.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal scores.
        rounds: 100 in the paper; with 1 layers do collapse.
        floor: weights of each layer that live whatever their scores; 0 in the paper.
        biases: let |biases|, |β| and |running means| take part, as the authors' code does; their networks begin with
            all of them 0.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights, for ``Sparsifier(Static(masks), ..., where=masks)``.

    Raises:
        SettingError: ``rounds`` is below 1.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> batch = torch.randn(1, 8), torch.zeros(1)
        >>> masks = synflow(model, None, batch, sparsity=0.97)
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'0.weight': 3, '2.weight': 2}
    """
    if rounds < 1:
        raise SettingError(f"expected rounds ≥ 1, got {rounds}; the paper has 100")
    sizes = shapes(select(model, where))
    count = live_weights(sizes, sparsity)
    check_floor(floor, sizes, count)
    network, weights = positive_copy(model, where, biases)
    with isolated(model, seed):
        ones = _ones(batch_or_loader, next(iter(weights.values())).device)
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    check_spoken(synaptic_flow(network, weights, ones))
    for left in ladder(size(masks), count, sparsity, rounds):
        masks = keep_largest(synaptic_flow(network, weights, ones), masks, left, generator, floor)
        apply_(weights, masks)
    return warn_of_collapse(masks)


def synaptic_flow(network: nn.Module, weights: Params, ones: Tensor) -> Scores:
    """θ ⊙ ∂R/∂θ of a positive copy: the total weight of the paths through each connection.

    Args:
        network: from ``positive_copy``.
        weights: its selected weights.
        ones: an input of one sample.

    Returns:
        Scores by name, float64, ≥ 0.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1, bias=False))
        >>> with torch.no_grad():
        ...     _ = model[0].weight.copy_(torch.tensor([[1.0, -2.0]])), model[1].weight.fill_(-5.0)
        >>> network, weights = positive_copy(model)
        >>> for score in synaptic_flow(network, weights, torch.ones(1, 2, dtype=torch.float64)).values():
        ...     print(score.tolist())
        [[5.0, 10.0]]
        [[15.0]]
    """
    flow = gradients(network, _total, (ones, None), weights)
    scores = {name: (flow[name] * weight.detach()).abs() for name, weight in weights.items()}
    check_finite(scores)
    return scores


def ladder(total: int, final: int, sparsity: float, rounds: int) -> Iterator[int]:
    """Live weights after each round, an exponential that ends exactly at ``final`` and never rises.

    Args:
        total: weights.
        final: live weights in the end.
        sparsity: share of zeros in the end.
        rounds: how many.

    Yields:
        A whole number per round.

    Example:
        >>> list(ladder(10_000, 100, 0.99, 4))
        [3162, 1000, 316, 100]
    """
    left = total
    for number in range(1, rounds):
        left = min(left, max(final, round((1 - sparsity) ** (number / rounds) * total)))
        yield left
    yield final


def _ones(data: Data, device: torch.device) -> Tensor:
    inputs, _ = first_batches(data, 1, device)[0]
    if not inputs.is_floating_point():
        raise DataError(
            f"expected inputs of real numbers, got {inputs.dtype}; SynFlow sends ones through the network, "
            "which means nothing for indices: prune the part behind the embedding"
        )
    return torch.ones(1, *inputs.shape[1:], dtype=torch.float64, device=device)


def _total(outputs: Any, _: Any) -> Tensor:
    """R, the sum of all outputs, of every head where there are several."""
    parts = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return torch.stack([part.sum() for part in parts]).sum()
