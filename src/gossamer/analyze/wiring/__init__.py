"""Where the live weights are, and how that changes."""

from gossamer.analyze.wiring.density import DensityTable, LayerDensity, density_table
from gossamer.analyze.wiring.history import MaskHistory

__all__ = [
    "DensityTable",
    "LayerDensity",
    "MaskHistory",
    "density_table",
]
