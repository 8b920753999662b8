"""A Hessian that tells how many products were formed, so that a bar can move."""

import torch
from torch import Tensor

from gossamer.analyze.curvature.hessian import HessianOperator
from gossamer.bench.analysis.progress import Advance


class Counted:
    """Stands for a Hessian wherever products with it are wanted.

    Args:
        operator: the Hessian.
        advance: told how many vectors were multiplied.
    """

    def __init__(self, operator: HessianOperator, advance: Advance) -> None:
        self.operator, self.advance = operator, advance
        self.coordinates, self.loss = operator.coordinates, operator.loss

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.operator.shape

    @property
    def device(self) -> torch.device:
        """Where vectors are."""
        return self.operator.device

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """The product, counted."""
        found = self.operator @ vectors
        self.advance(1 if vectors.dim() == 1 else vectors.shape[1])
        return found
