"""Per-sample difficulty: arrays in, ``(N,)`` out, larger is harder."""

from gossamer.hardness.el2n import el2n
from gossamer.hardness.hardest import hardest

__all__ = ["el2n", "hardest"]
