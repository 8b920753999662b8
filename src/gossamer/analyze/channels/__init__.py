"""Where the zeros lie among channels and kernels, and where a network looks."""

from gossamer.analyze.channels.concentration import evenness, expected_evenness, expected_gini, gini
from gossamer.analyze.channels.grad_cam import grad_cam
from gossamer.analyze.channels.kernels import LayerSpace, space, space_rows

__all__ = [
    "LayerSpace",
    "evenness",
    "expected_evenness",
    "expected_gini",
    "gini",
    "grad_cam",
    "space",
    "space_rows",
]
