"""The scores by name, with what each needs: for whoever looks one up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from gossamer.hardness.consistency import consistency
from gossamer.hardness.dynamics import aum, confidence, forgetting, variability
from gossamer.hardness.el2n import el2n
from gossamer.hardness.grand import grand
from gossamer.hardness.last_layer import last_layer_grand
from gossamer.hardness.loss import loss
from gossamer.hardness.margin import margin

Needs = Literal["logits", "epochs", "features", "gradients"]


@dataclass(frozen=True)
class Score:
    """A score of hardness, and how to call it.

    Args:
        function: gives float64 (N,), larger is harder.
        needs: how it is called. ``"logits"``: ``function(logits, labels)``, logits (K, N, C) of K models;
            ``"epochs"``: the same with logits (K, E, N, C) of K runs; ``"features"``:
            ``function(logits, labels, features)``, features (K, N, D); ``"gradients"``:
            ``function(model, images, labels)`` of one model, to be averaged over models.
        about: what it measures, in a line.
        paper: authors, year and arXiv number.
    """

    function: Callable[..., Tensor]
    needs: Needs
    about: str
    paper: str


SCORES: dict[str, Score] = {
    "el2n": Score(el2n, "logits", "norm of the error softmax - one-hot", "Paul et al. 2021, 2107.07075"),
    "margin": Score(margin, "logits", "largest wrong logit minus the true one", "Toneva et al. 2019, 1812.05159"),
    "loss": Score(loss, "logits", "cross entropy", "Loshchilov and Hutter 2015, 1511.06343"),
    "consistency": Score(consistency, "logits", "share of models that are wrong", "Jiang et al. 2021, 2002.03206"),
    "forgetting": Score(
        forgetting, "epochs", "times right turned into wrong; never learned: infinity", "Toneva et al. 2019, 1812.05159"
    ),
    "aum": Score(aum, "epochs", "mean margin over epochs, negated", "Pleiss et al. 2020, 2001.10528"),
    "confidence": Score(
        confidence, "epochs", "1 - mean probability of the true class", "Swayamdipta et al. 2020, 2009.10795"
    ),
    "variability": Score(
        variability, "epochs", "deviation of the true class's probability", "Swayamdipta et al. 2020, 2009.10795"
    ),
    "last_layer_grand": Score(
        last_layer_grand, "features", "gradient norm over the last layer", "after Paul et al. 2021, 2107.07075"
    ),
    "grand": Score(grand, "gradients", "gradient norm over all weights", "Paul et al. 2021, 2107.07075"),
}
