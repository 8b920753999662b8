"""Masks that never change: random ones, and any that are given."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.method import SparseMethod
from gossamer.core.named import Params


@dataclass(frozen=True, kw_only=True)
class Random(SparseMethod):
    """Random pruning (P1 A.1 "Random"): a random mask with ERK densities, fixed for the whole training.

    The control that tells what learning the wiring is worth.

    Example:
        >>> Random(sparsity=0.9).distribution
        'erk'
    """

    total_steps: int = 1  # nothing ever happens at a step; accepted so that all methods are built alike


@dataclass(frozen=True, kw_only=True)
class Uniform(SparseMethod):
    """Random pruning with the same density in every layer, first and last included (P1 A.1 "Uniform"), fixed.

    Example:
        >>> Uniform(sparsity=0.9).distribution
        'uniform'
    """

    total_steps: int = 1
    distribution: str | Mapping[str, float] = "uniform"


@dataclass(frozen=True, eq=False)
class Static:
    """Any masks, fixed: what pruning at initialisation, tickets and files give.

    Args:
        given: masks by parameter name; select exactly these weights: ``Sparsifier(Static(masks), ..., where=masks)``.
        asked: the sparsity they were made for; the sparsifier then refuses masks that miss it by a weight.

    Raises:
        SettingError: there are no masks.

    Example:
        >>> Static({"weight": torch.tensor([True, False, False, False])}).sparsity
        0.75
    """

    given: Masks = field(repr=False)
    asked: float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty dictionary."""
        if not self.given:
            raise SettingError("expected masks by parameter name, got none; AT_INIT['snip'](...) makes some")

    @property
    def sparsity(self) -> float:
        """The actual share of zeros."""
        return mask_ops.sparsity(self.given)

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """The given masks, on the weights' device."""
        mask_ops.check(self.given, params)
        return {name: self.given[name].to(weight.device) for name, weight in params.items()}

    def target(self, step: int) -> float | None:
        """The sparsity asked for, if it was told."""
        return self.asked

    def due(self, step: int) -> bool:
        """Never."""
        return False

    def rewire(self, step: int, masks: Masks, params: Params, grads: object, generator: torch.Generator) -> Masks:
        """The same masks."""
        return masks
