"""MEST: a few weights more than asked are in training, the least important of them change places."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.distribution import counts
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.method import SparseMethod, check_share, steps_of
from gossamer.core.named import Params, shapes
from gossamer.core.schedule import Every


@dataclass(frozen=True, kw_only=True)
class MEST(SparseMethod):
    """MEST with a soft memory bound (Yuan et al. 2021, arXiv:2110.14032), as P2 uses it.

    During training (1 + ``bound``) times the asked number of weights live.  At each rewiring every layer is pruned to
    its asked number and regrows to its bound; at ``stop`` the surplus dies and the asked sparsity is exact.

    Growth is random (MEST_r) or by the dense gradient (MEST_g).  Weights die by |w| + λ|g| with λ =
    ``gradient_weight``; P2 and the default of the authors' code have λ = 0, plain magnitude.

    Args:
        grow_by: ``"random"`` or ``"gradient"``.
        bound: share of extra weights in training; P2: 10 % of the target density.
        gradient_weight: λ ≥ 0.
        stop: share of the training when the surplus dies (assumed: 120 of 160 epochs, where the authors' code ends its
            last stage).
        every: steps between rewirings; None is 5 of 160 epochs, the authors' code.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> method = MEST(sparsity=0.9, total_steps=1600)
        >>> method.interval, round(method.target(0), 3), method.target(1200)
        (50, 0.89, 0.9)
    """

    grow_by: Literal["random", "gradient"] = "random"
    bound: float = 0.1
    gradient_weight: float = 0.0
    stop: float = 0.75
    every: int | None = None

    least_steps: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        super().__post_init__()
        check_share("stop", self.stop)
        Every(self.interval)
        if self.grow_by not in ("random", "gradient"):
            raise SettingError(f"expected grow_by='random' or 'gradient', got {self.grow_by!r}")
        if not (isfinite(self.bound) and self.bound >= 0):
            raise SettingError(f"expected bound ≥ 0, got {self.bound}; 0.1 lets a tenth more weights live in training")
        if not (isfinite(self.gradient_weight) and self.gradient_weight >= 0):
            raise SettingError(f"expected gradient_weight ≥ 0, got {self.gradient_weight}; 0 is plain magnitude")

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """Random masks with the surplus that the bound allows."""
        if self.pattern is None or not self.bound:
            return super().masks(params, generator)
        try:
            return super().masks(params, generator)
        except SettingError as error:
            raise SettingError(f"{error}; or lower bound={self.bound}, which adds weights in training") from None

    @property
    def interval(self) -> int:
        """Steps between rewirings."""
        return self.every if self.every is not None else steps_of(5 / 160, self.total_steps)

    @property
    def last(self) -> int:
        """The step at which the surplus dies."""
        return max(1, min(round(self.stop * self.total_steps), self.total_steps - 1))

    @property
    def dense_gradient(self) -> bool:
        """Growth by gradient reads it."""
        return self.grow_by == "gradient"

    def due(self, step: int) -> bool:
        """At every ``interval``-th step, and at the last."""
        return Every(self.interval, end=self.last, final=self.last)(step)

    def target(self, step: int) -> float:
        """Asked sparsity less the surplus, and the asked one from the last rewiring on."""
        return self.sparsity if step >= self.last else max(0.0, 1 - (1 - self.sparsity) * (1 + self.bound))

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """Prune every layer to its asked number, then grow it to its bound."""
        asked = counts(shapes(params), self.densities(params, self.sparsity))
        upper = counts(shapes(params), self.densities(params, self.target(step)))
        changed = {}
        for name, mask in masks.items():
            score = params[name].abs() + self.gradient_weight * grads[name].abs()
            # rounding can leave a layer's bound one below its asked number: the bound decides
            kept = min(asked[name], upper[name], int(mask.count_nonzero()))
            survivors = rewire.largest(score, mask, kept, generator)
            changed[name] = self._grow(grads[name], survivors, upper[name] - kept, generator)
        return changed

    def _grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        if self.grow_by == "random":
            return rewire.grow_random(mask, count, generator, self.pattern)
        return rewire.grow_largest(grad.abs(), mask, count, generator, self.pattern)
