"""SET: small weights die, random ones are born."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.errors import SettingError
from gossamer.methods.drop_and_grow import DropAndGrow


@dataclass(frozen=True, kw_only=True)
class SET(DropAndGrow):
    """Sparse evolutionary training (Mocanu et al. 2018, Nature Communications 9:2383), with the settings of P1 A.1.

    Every 4 of 200 epochs the smallest positive and the largest negative weights of each layer die, the share f(t) of
    both, and as many are born at random.  ``drop_by="magnitude"`` lets the smallest |w| die, whatever the sign (P2).

    ``deviations=P1_RELEASED`` reproduces P1's code: Bernoulli masks, gradients and momentum of dead weights kept.

    Example:
        >>> method = SET(sparsity=0.8, total_steps=78_200)
        >>> method.interval, method.drop_fraction(0)
        (1564, 0.2)
    """

    fraction: float = 0.2  # --death-rate of P1's code
    fraction_end: float = 0.001  # eta_min of its cosine
    drop_by: Literal["signed", "magnitude"] = "signed"

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        super().__post_init__()
        if self.drop_by not in ("signed", "magnitude"):
            raise SettingError(f"expected drop_by='signed' or 'magnitude', got {self.drop_by!r}; P1 has 'signed'")

    def drop(self, weight: Tensor, mask: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
        """The mask after the weights nearest to zero died, on each side of it or by magnitude."""
        if self.drop_by == "signed":
            return rewire.drop_signed(weight, mask, fraction, generator)
        return super().drop(weight, mask, fraction, generator)
