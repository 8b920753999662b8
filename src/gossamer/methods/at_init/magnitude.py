"""Magnitude at initialisation: the largest weights, by several budgets."""

from collections.abc import Collection

import torch
from torch import nn

from gossamer.core.distribution import Distribution, counts, erk, live_weights, uniform
from gossamer.core.masks import Masks
from gossamer.core.named import Where, select, shapes
from gossamer.core.rewire import largest
from gossamer.methods.at_init.data import Data
from gossamer.methods.at_init.scoring import Loss
from gossamer.methods.at_init.selection import Scores, best, check_finite, warn_of_collapse


def magnitude(
    model: nn.Module,
    loss_fn: Loss | None,
    batch_or_loader: Data | None,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    floor: int = 0,
) -> Masks:
    """Global magnitude pruning: the largest |w| of the network live, all layers compared with one another.

    Layers of large fan-in have small weights at their initialisation and lose most; one left without any is named
    by a ``LayerCollapseWarning``.

    Args:
        model: at its initialisation, or trained.
        loss_fn: not used; None will do.
        batch_or_loader: not used; None will do.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal magnitudes.
        floor: weights of each layer that live whatever their magnitudes.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights.

    Example:
        >>> model = nn.Linear(2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, -4.0], [3.0, 2.0]]))
        >>> magnitude(model, None, None, 0.5)
        {'weight': tensor([[False,  True],
                [ True, False]])}
    """
    count = live_weights(shapes(select(model, where)), sparsity)
    return warn_of_collapse(best(_magnitudes(model, where), count, torch.Generator().manual_seed(seed), floor))


def magnitude_uniform(
    model: nn.Module,
    loss_fn: Loss | None,
    batch_or_loader: Data | None,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    dense: tuple[str, ...] = (),
) -> Masks:
    """Layer-wise magnitude pruning: the largest |w| of each layer live, the same density in all.

    Args:
        model: at its initialisation, or trained.
        loss_fn: not used; None will do.
        batch_or_loader: not used; None will do.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal magnitudes.
        dense: names of weights that stay dense; the others then carry their zeros.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights.

    Example:
        >>> model = nn.Sequential(nn.Linear(10, 20), nn.Linear(20, 5))
        >>> masks = magnitude_uniform(model, None, None, 0.9)
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'0.weight': 20, '1.weight': 10}
    """
    return warn_of_collapse(_by_budget(uniform, model, sparsity, where, seed, dense))


def magnitude_erk(
    model: nn.Module,
    loss_fn: Loss | None,
    batch_or_loader: Data | None,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    dense: tuple[str, ...] = (),
) -> Masks:
    """Magnitude pruning within ERK's budgets: the largest |w| of each layer live, as many as ERK gives it.

    On a trained model this is the pruning of P1's OMP_ERK.

    Args:
        model: at its initialisation, or trained.
        loss_fn: not used; None will do.
        batch_or_loader: not used; None will do.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal magnitudes.
        dense: names of weights that stay dense; the others then carry their zeros.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights.

    Example:
        >>> model = nn.Sequential(nn.Linear(10, 20), nn.Linear(20, 5))
        >>> masks = magnitude_erk(model, None, None, 0.8)
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'0.weight': 33, '1.weight': 27}
    """
    return warn_of_collapse(_by_budget(erk, model, sparsity, where, seed, dense))


def _magnitudes(model: nn.Module, where: Where) -> Scores:
    scores = {name: weight.detach().abs() for name, weight in select(model, where).items()}
    check_finite(scores)
    return scores


def _by_budget(
    distribution: Distribution, model: nn.Module, sparsity: float, where: Where, seed: int, dense: Collection[str]
) -> Masks:
    """The largest weights of each layer, as many as the distribution gives it."""
    scores = _magnitudes(model, where)
    sizes = shapes(select(model, where))
    budget = counts(sizes, distribution(sizes, sparsity, dense=dense))
    generator = torch.Generator().manual_seed(seed)
    everyone = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    return {name: largest(score, everyone[name], budget[name], generator) for name, score in scores.items()}
