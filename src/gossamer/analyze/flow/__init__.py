"""How gradients and signals flow through a sparse network."""

from gossamer.analyze.flow.collector import GradientFlow
from gossamer.analyze.flow.effective import EffectiveFlow, LayerFlow, effective_gradient_flow
from gossamer.analyze.flow.gradient import Gradient, mean_gradient
from gossamer.analyze.flow.norms import gradient_norm, layer_norms
from gossamer.analyze.flow.propagation import Propagation
from gossamer.analyze.flow.signal import signal_propagation
from gossamer.analyze.flow.start import GLOROT, P3_STARTS, Start

__all__ = [
    "GLOROT",
    "P3_STARTS",
    "EffectiveFlow",
    "Gradient",
    "GradientFlow",
    "LayerFlow",
    "Propagation",
    "Start",
    "effective_gradient_flow",
    "gradient_norm",
    "layer_norms",
    "mean_gradient",
    "signal_propagation",
]
