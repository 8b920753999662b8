"""Topology updates as repositories usually write them: sort the whole layer, read a threshold, compare with it."""

from collections.abc import Callable

import torch
from torch import Tensor

Survive = Callable[[Tensor, Tensor, float], Tensor]  # weight, mask, fraction -> who lives on
Grow = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]  # gradient, survivors, count -> who lives then


def update(
    weights: dict[str, Tensor],
    grads: dict[str, Tensor],
    masks: dict[str, Tensor],
    fraction: float,
    generator: torch.Generator,
    survive: Survive,
    grow: Grow,
) -> dict[str, Tensor]:
    """Drop and grow in every layer that is not dense."""
    changed = {}
    for name, mask in masks.items():
        alive = int(mask.count_nonzero())
        kept = survive(weights[name], mask, fraction) if alive < mask.numel() else mask.clone()
        changed[name] = grow(grads[name], kept, alive - int(kept.count_nonzero()), generator)
    return changed


def largest_magnitudes(weight: Tensor, mask: Tensor, fraction: float) -> Tensor:
    """All but the smallest |w|: right if no two are alike."""
    alive = int(mask.count_nonzero())
    dead = mask.numel() - alive + round(fraction * alive)
    magnitudes = weight.abs()
    return magnitudes > torch.sort(magnitudes.flatten()).values[dead - 1]


def outermost(weight: Tensor, mask: Tensor, fraction: float) -> Tensor:
    """All but the smallest positive and the largest negative weights: right if no two are alike."""
    values = torch.sort(weight.flatten()).values
    negative, positive = int((values < 0).sum()), int((values > 0).sum())
    lower = values[negative - round(fraction * negative)]
    upper = values[len(values) - positive + round(fraction * positive) - 1]
    return (weight < lower) | (weight > upper)


def largest_gradients(grad: Tensor, kept: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The survivors and the ``count`` largest |gradients| besides: their scores are put to zero before the sort."""
    order = torch.sort((grad.abs() * ~kept).flatten(), descending=True).indices
    kept.view(-1)[order[:count]] = True
    return kept


def random_positions(grad: Tensor, kept: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The survivors and ``count`` others, the first of a random permutation of all the dead."""
    dead = (~kept).flatten().nonzero().squeeze(1)
    drawn = torch.randperm(len(dead), generator=generator)[:count].to(dead.device)
    kept.view(-1)[dead[drawn]] = True
    return kept
