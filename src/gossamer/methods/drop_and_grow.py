"""What SET and RigL share: at a constant number of weights, some die and as many are born, layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.masks import Masks
from gossamer.core.method import SparseMethod, check_share, steps_of
from gossamer.core.named import Params
from gossamer.core.schedule import Cosine, Every

P1_INTERVAL = 4 / 200  # P1 rewires every 4 of 200 epochs (A.1)


@dataclass(frozen=True, kw_only=True)
class DropAndGrow(SparseMethod):
    """Every ``every`` steps, of each layer's k live weights f(t)·k die and as many are born.

    f(t) falls by half a cosine from ``fraction`` to ``fraction_end`` over the share ``stop`` of the training.  The
    smallest magnitudes die and growth is random, unless a method says otherwise.  A weight that dies and is born again
    in the same rewiring has never died: it keeps its value and its optimizer state, as in RigL's and P1's code.

    Args:
        fraction: share of each layer's live weights that dies at first, in [0, 1].
        fraction_end: the share when rewiring ends.
        stop: share of the training after which the wiring is frozen.
        every: steps between rewirings; None is the method's own default.

    Raises:
        SettingError: a value outside its range.
    """

    fraction: float = 0.3
    fraction_end: float = 0.0
    stop: float = 1.0
    every: int | None = None

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        super().__post_init__()
        for name in ("fraction", "fraction_end", "stop"):
            check_share(name, getattr(self, name))
        Every(self.interval)

    @property
    def interval(self) -> int:
        """Steps between rewirings."""
        return self.every if self.every is not None else steps_of(P1_INTERVAL, self.total_steps)

    def due(self, step: int) -> bool:
        """At every ``interval``-th step, from the first interval to ``stop``."""
        return Every(self.interval, end=round(self.stop * self.total_steps))(step)

    def drop_fraction(self, step: int) -> float:
        """f(t)."""
        return Cosine(self.fraction, self.fraction_end, 0, round(self.stop * self.total_steps))(step)

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """Drop, then grow as many, in each layer that has both live and dead weights."""
        changed = {}
        for name, mask in masks.items():
            alive = int(mask.count_nonzero())
            kept = self.drop(params[name], mask, self.drop_fraction(step), generator) if alive < mask.numel() else mask
            changed[name] = self.grow(grads[name], kept, alive - int(kept.count_nonzero()), generator)
        return changed

    def drop(self, weight: Tensor, mask: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
        """The mask after the share ``fraction`` of smallest magnitude died."""
        return rewire.drop_smallest(weight, mask, round(fraction * int(mask.count_nonzero())), generator)

    def grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """The mask after ``count`` random weights were born."""
        return rewire.grow_random(mask, count, generator, self.pattern)
