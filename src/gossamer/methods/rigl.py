"""RigL: small weights die, those with the largest gradient are born; and its inverse, a control."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.methods.drop_and_grow import DropAndGrow


@dataclass(frozen=True, kw_only=True)
class RigL(DropAndGrow):
    """RigL (Evci et al. 2020, arXiv:1911.11134): drop the smallest weights, grow where the dense gradient is largest.

    The number of weights never changes: of each layer's k live weights, f(t)·k die and as many are born,
    f(t) = α/2 · (1 + cos(π t / T_end)).  Newborn weights start at zero, with fresh optimizer state.

    ``deviations=RIGL_RELEASED`` lets the rewiring replace the gradient step, as the authors' code does.

    Example:
        >>> method = RigL(sparsity=0.8, total_steps=32_000)
        >>> [step for step in range(301) if method.due(step)], method.due(24_900), method.due(25_000)
        ([100, 200, 300], True, False)
    """

    fraction: float = 0.3  # α, the authors' ImageNet script
    stop: float = 0.78125  # T_end, the same script: 25 000 of 32 000 steps
    every: int | None = 100  # ΔT, the same script

    @property
    def dense_gradient(self) -> bool:
        """Growth reads it."""
        return True

    def grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """The mask after the ``count`` weights with the largest |gradient| were born."""
        return rewire.grow_largest(grad.abs(), mask, count, generator, self.pattern)


@dataclass(frozen=True, kw_only=True)
class RigLInverted(RigL):
    """RigL that grows where the dense gradient is *smallest* (P3's control: gradient flow should not improve).

    Example:
        >>> RigLInverted(sparsity=0.8, total_steps=32_000).interval
        100
    """

    def grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """The mask after the ``count`` weights with the smallest |gradient| were born."""
        return rewire.grow_largest(-grad.abs(), mask, count, generator, self.pattern)
