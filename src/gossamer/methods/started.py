"""A method that starts from given masks instead of drawing its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.method import CLEAN, Deviations, Method
from gossamer.core.named import Params


@dataclass(frozen=True, eq=False)
class Started:
    """Any method, started from given masks: P3's SET and RigL begin with the masks of a pruned network.

    Args:
        method: what changes the masks from then on; its own start is never drawn.
        given: masks by parameter name; select exactly these weights: ``Sparsifier(..., where=masks)``.

    Raises:
        SettingError: there are no masks.

    Example:
        >>> from gossamer import RigL
        >>> masks = {"weight": torch.tensor([[True, False], [False, False]])}
        >>> method = Started(RigL(sparsity=0.75, total_steps=1000), masks)
        >>> method.due(100), method.sparsity
        (True, 0.75)
    """

    method: Method
    given: Masks = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse an empty dictionary."""
        if not self.given:
            raise SettingError("expected masks by parameter name to start from, got none; pass a trained run's masks")

    @property
    def sparsity(self) -> float:
        """The share of zeros in the given masks."""
        return mask_ops.sparsity(self.given)

    @property
    def deviations(self) -> Deviations:
        """The method's own."""
        return getattr(self.method, "deviations", CLEAN)

    @property
    def dense_gradient(self) -> bool:
        """Whether the method's growth reads the gradient of dead weights."""
        return getattr(self.method, "dense_gradient", True)

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """The given masks, on the weights' device."""
        mask_ops.check(self.given, params)
        return {name: self.given[name].to(weight.device) for name, weight in params.items()}

    def target(self, step: int) -> float | None:
        """What the method promises, which the given masks must keep from the start."""
        promise = getattr(self.method, "target", None)
        return None if promise is None else promise(step)

    def due(self, step: int) -> bool:
        """As the method says."""
        return self.method.due(step)

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """As the method does."""
        return self.method.rewire(step, masks, params, grads, generator)
