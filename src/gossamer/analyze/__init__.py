"""What a sparse network is and costs."""

from gossamer.analyze.flops import LayerCost, forward_flops, layer_costs
from gossamer.analyze.training_flops import Segment, TrainingFlops, training_flops

__all__ = ["LayerCost", "Segment", "TrainingFlops", "forward_flops", "layer_costs", "training_flops"]
