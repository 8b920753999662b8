"""GraNet: gradual pruning from half dense, with regeneration after every pruning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.distribution import live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.method import check_share, steps_of
from gossamer.core.named import Params, shapes
from gossamer.core.schedule import Cubic, Every
from gossamer.methods.drop_and_grow import DropAndGrow
from gossamer.methods.gmp import ladder


@dataclass(frozen=True, kw_only=True)
class GraNet(DropAndGrow):
    """GraNet (Liu et al. 2021, arXiv:2106.10404), with P2's initial density of 0.8.

    Every ``every`` steps: the network is pruned by magnitude, all layers compared, to the density of a cubic schedule;
    then in each layer the share f(t) of smallest weights dies and as many are born, by the dense gradient (GraNet_g)
    or at random (GraNet_r).  Pruning ends at ``prune_end`` with the asked sparsity, exactly; regeneration goes on.

    Args:
        grow_by: ``"gradient"`` or ``"random"``.
        initial_density: of the ERK start; P2 has 0.8, the authors' code 0.5.  Never below the asked density.
        prune_begin: share of the training at which pruning starts (authors' code: 0).
        prune_end: share at which it ends (authors' CIFAR script: 80 of 160 epochs).
        fraction: f at first (authors' code 0.5, cosine to 0.005 over the whole training).
        every: steps between updates; None is 1 000 of the 62 560 steps of the authors' CIFAR script.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> method = GraNet(sparsity=0.9, total_steps=1000)
        >>> [round(method.target(step), 3) for step in (0, 250, 500, 999)]
        [0.2, 0.802, 0.9, 0.9]
    """

    fraction: float = 0.5
    fraction_end: float = 0.005
    grow_by: Literal["gradient", "random"] = "gradient"
    initial_density: float = 0.8
    prune_begin: float = 0.0
    prune_end: float = 0.5

    least_steps: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        super().__post_init__()
        for name in ("initial_density", "prune_begin", "prune_end"):
            check_share(name, getattr(self, name))
        if self.grow_by not in ("random", "gradient"):
            raise SettingError(f"expected grow_by='gradient' or 'random', got {self.grow_by!r}")
        if self.prune_begin > self.prune_end:
            raise SettingError(f"expected prune_begin ≤ prune_end, got {self.prune_begin}, {self.prune_end}; swap")
        if self.pattern is not None:
            raise SettingError("expected pattern=None, got an N:M pattern: GraNet starts too dense for it; use RigL")

    @property
    def interval(self) -> int:
        """Steps between updates."""
        return self.every if self.every is not None else steps_of(1000 / 62_560, self.total_steps)

    @property
    def last(self) -> int:
        """The step at which the asked sparsity is reached."""
        return max(1, min(round(self.prune_end * self.total_steps), self.total_steps - 1))

    @property
    def dense_gradient(self) -> bool:
        """Growth by gradient reads it."""
        return self.grow_by == "gradient"

    def due(self, step: int) -> bool:
        """At every ``interval``-th step, and at the last pruning."""
        return Every(self.interval, end=round(self.stop * self.total_steps), final=self.last)(step)

    def target(self, step: int) -> float:
        """Sparsity of the cubic schedule at the last pruning up to this step."""
        begin = min(round(self.prune_begin * self.total_steps), self.last)
        start = min(1 - self.initial_density, self.sparsity)
        # updates count from step 0, so the ladder does too; where they stop early it waits for the last pruning
        reached = step if step >= self.last else min(step, round(self.stop * self.total_steps) - 1)
        return Cubic(start, self.sparsity, begin, self.last)(ladder(reached, 0, self.last, self.interval))

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """Prune globally to the schedule's density, then drop and grow in each layer."""
        scores = {name: weight.detach().abs() for name, weight in params.items() if name not in self.dense}
        held = sum(params[name].numel() for name in self.dense)
        alive = sum(int(masks[name].count_nonzero()) for name in scores)  # fewer only where coins were tossed
        count = min(live_weights(shapes(params), self.target(step)) - held, alive)
        pruned = {**masks, **rewire.keep_largest(scores, masks, count, generator)}
        return super().rewire(step, pruned, params, grads, generator)

    def grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """The mask after ``count`` weights were born, by gradient or at random."""
        if self.grow_by == "random":
            return super().grow(grad, mask, count, generator)
        return rewire.grow_largest(grad.abs(), mask, count, generator)
