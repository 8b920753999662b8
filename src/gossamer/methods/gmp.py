"""GMP: gradual magnitude pruning from dense to sparse."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.distribution import counts, find, live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.method import SparseMethod, check_share, steps_of
from gossamer.core.named import Params, shapes
from gossamer.core.schedule import Cubic, Every
from gossamer.methods.drop_and_grow import P1_INTERVAL


def ladder(step: int, begin: int, end: int, interval: int) -> int:
    """The step of the last pruning up to a step: what a gradual schedule has reached by then.

    Args:
        step: now.
        begin: first step of the schedule.
        end: last step of the schedule, where its final value is reached.
        interval: steps between prunings.

    Returns:
        A step between ``begin`` and ``end``.

    Example:
        >>> [ladder(step, 10, 25, 10) for step in (0, 10, 19, 20, 25, 99)]
        [10, 10, 10, 20, 25, 25]
    """
    if step >= end:
        return end
    return begin + max(step - begin, 0) // interval * interval


@dataclass(frozen=True, kw_only=True)
class GMP(SparseMethod):
    """Gradual magnitude pruning (Zhu & Gupta 2017, arXiv:1710.01878), with the settings of P1 A.1.

    Dense at first; from 10 % to 80 % of the training the smallest weights die, every 4 of 200 epochs, so that the
    sparsity follows s(t) = s (1 - (1 - (t - t₀)/(t₁ - t₀))³) and equals s exactly at t₁.  The dead stay dead.

    Args:
        scope: ``"global"`` compares all layers with one another (P1), ``"layer"`` prunes each alike (P3).
        begin: share of the training at which pruning starts, t₀.
        end: share at which it ends, t₁.
        every: steps between prunings; None is 4 of 200 epochs (P1); P3 has 100 of 11 719 steps.
        floor: so many weights of each layer live on, against layer collapse (global scope); 0 is the paper's.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> method = GMP(sparsity=0.9, total_steps=1000)
        >>> [round(method.target(step), 3) for step in (0, 100, 450, 800, 999)]
        [0.0, 0.0, 0.778, 0.9, 0.9]
    """

    distribution: str | Mapping[str, float] = "uniform"
    scope: Literal["global", "layer"] = "global"
    begin: float = 0.1
    end: float = 0.8
    every: int | None = None
    floor: int = 0

    least_steps: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        super().__post_init__()
        check_share("begin", self.begin)
        check_share("end", self.end)
        Every(self.interval)
        if self.scope not in ("global", "layer"):
            raise SettingError(f"expected scope='global' or 'layer', got {self.scope!r}; P1 is global, P3 by layer")
        if self.floor < 0:
            raise SettingError(f"expected floor ≥ 0, got {self.floor}; 0 is no floor")
        if self.begin > self.end:
            raise SettingError(f"expected begin ≤ end, got begin={self.begin}, end={self.end}; swap them")
        if self.pattern is not None:
            raise SettingError("expected pattern=None, got an N:M pattern: gradual pruning starts dense; use RigL")

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """Everyone; a floor that the final budget cannot meet is refused now."""
        budget = live_weights(shapes(params), self.sparsity)
        reserved = sum(min(self.floor, weight.numel()) for weight in params.values())
        if reserved > budget:
            raise SettingError(
                f"expected a floor that {budget} live weights can meet in {len(params)} layers, got {self.floor}; "
                f"lower floor to ≤ {budget // len(params)} or the sparsity"
            )
        return super().masks(params, generator)

    @property
    def interval(self) -> int:
        """Steps between prunings."""
        return self.every if self.every is not None else steps_of(P1_INTERVAL, self.total_steps)

    @property
    def first(self) -> int:
        """The step of the first pruning; never the very first step, when nothing has been learned."""
        return min(max(1, round(self.begin * self.total_steps)), self.total_steps - 1)

    @property
    def last(self) -> int:
        """The step at which the asked sparsity is reached: within the training, whatever ``end`` says."""
        return max(self.first, min(round(self.end * self.total_steps), self.total_steps - 1))

    def due(self, step: int) -> bool:
        """At every ``interval``-th step from the first, and at the last."""
        return Every(self.interval, begin=self.first, end=self.last, final=self.last)(step)

    def target(self, step: int) -> float:
        """s(t) at the last pruning up to this step."""
        if step < self.first:
            return 0.0
        return Cubic(0.0, self.sparsity, self.first, self.last)(ladder(step, self.first, self.last, self.interval))

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """Keep the largest of the living, among all layers or in each; layers named in ``dense`` keep all."""
        if self.scope == "global":
            return self.prune_globally(step, masks, params, generator)
        # the living cap each layer: whole-number shares of a shrinking budget can rise by one
        alive = {name: int(mask.count_nonzero()) for name, mask in masks.items()}
        sizes = shapes(params)
        densities = find(self.distribution)(sizes, self.target(step), dense=self.dense, capacity=alive)
        wanted = counts(sizes, densities)
        return {name: rewire.largest(params[name].abs(), mask, wanted[name], generator) for name, mask in masks.items()}

    def prune_globally(self, step: int, masks: Masks, params: Params, generator: torch.Generator) -> Masks:
        """Keep the largest magnitudes of the network, all layers compared, those named in ``dense`` left out."""
        scores = {name: weight.detach().abs() for name, weight in params.items() if name not in self.dense}
        held = sum(params[name].numel() for name in self.dense)
        count = live_weights(shapes(params), self.target(step)) - held
        return {**masks, **rewire.keep_largest(scores, masks, count, generator, self.floor)}
