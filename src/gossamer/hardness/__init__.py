"""Per-sample difficulty: arrays in, ``(N,)`` out, larger is harder; and how to collect those arrays in any loop.

Arrays are torch's tensors or numpy's; what comes out is a tensor.
"""

from gossamer.hardness.collect import collect, collect_features
from gossamer.hardness.collector import Collector
from gossamer.hardness.consistency import consistency
from gossamer.hardness.correlation import rank_correlation, rank_correlations
from gossamer.hardness.dynamics import aum, confidence, forgetting, variability
from gossamer.hardness.el2n import el2n
from gossamer.hardness.grand import grand
from gossamer.hardness.hardest import hardest
from gossamer.hardness.last_layer import last_layer_grand
from gossamer.hardness.loss import loss
from gossamer.hardness.margin import margin
from gossamer.hardness.scores import SCORES, Score

__all__ = [
    "SCORES",
    "Collector",
    "Score",
    "aum",
    "collect",
    "collect_features",
    "confidence",
    "consistency",
    "el2n",
    "forgetting",
    "grand",
    "hardest",
    "last_layer_grand",
    "loss",
    "margin",
    "rank_correlation",
    "rank_correlations",
    "variability",
]
