"""Between solutions: lines, bends, distances, and how far they agree."""

from gossamer.analyze.landscape.agreement import (
    Disagreement,
    disagreement,
    disagreements,
    independent_disagreement,
    predictions,
)
from gossamer.analyze.landscape.barrier import Barrier, barrier
from gossamer.analyze.landscape.batch_norm import reestimate_batch_norm_
from gossamer.analyze.landscape.bezier import Bezier, train_bezier
from gossamer.analyze.landscape.distance import distance, layer_distances, pairwise_distances
from gossamer.analyze.landscape.ensemble import Ensemble, averaged, ensemble_accuracy
from gossamer.analyze.landscape.interpolate import ALPHAS, Line, interpolate, line
from gossamer.analyze.landscape.mds import SolutionMap, solution_map
from gossamer.analyze.landscape.outputs import collect_outputs
from gossamer.analyze.landscape.path import Path, Point, evaluate_curve

__all__ = [
    "ALPHAS",
    "Barrier",
    "Bezier",
    "Disagreement",
    "Ensemble",
    "Line",
    "Path",
    "Point",
    "SolutionMap",
    "averaged",
    "barrier",
    "collect_outputs",
    "disagreement",
    "disagreements",
    "distance",
    "ensemble_accuracy",
    "evaluate_curve",
    "independent_disagreement",
    "interpolate",
    "layer_distances",
    "line",
    "pairwise_distances",
    "predictions",
    "reestimate_batch_norm_",
    "solution_map",
    "train_bezier",
]
