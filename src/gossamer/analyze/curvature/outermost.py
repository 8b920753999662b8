"""Which eigenvalues are meant."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Order = Literal["value", "magnitude"]


@dataclass(frozen=True)
class Outermost:
    """Which of some ascending values: the outermost ones.

    Args:
        top: how many of the largest.
        bottom: how many of the smallest.
        by: what they are ordered by.

    Example:
        >>> Outermost(1, 1, "value").of(torch.tensor([-3.0, 1.0, 2.0]))
        tensor([2, 0])
    """

    top: int
    bottom: int
    by: Order

    def sizes(self, values: Tensor) -> Tensor:
        """What they are ordered by.

        Args:
            values: any.

        Returns:
            As many numbers.
        """
        return values if self.by == "value" else values.abs()

    def of(self, values: Tensor) -> Tensor:
        """Their places.

        Args:
            values: ascending.

        Returns:
            The top ones first, largest first.
        """
        order = self.sizes(values).argsort(descending=True)
        if self.top + self.bottom >= len(values):
            return order
        return torch.cat([order[: self.top], order[len(order) - self.bottom :]])

    def wider(self, more: int) -> "Outermost":
        """With some more at each end that is wanted at all.

        Args:
            more: how many.

        Returns:
            Another description.
        """
        return Outermost(self.top and self.top + more, self.bottom and self.bottom + more, self.by)
