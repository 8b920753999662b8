"""Tickets: what is pruned from a trained network, and where training goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.core import rewire
from gossamer.core.distribution import check_sparsity, counts, find, live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.named import Params, shapes


@dataclass(frozen=True, kw_only=True)
class LTH:
    """Lottery tickets (Frankle & Carbin 2019, arXiv:1803.03635): train dense, prune, rewind, train sparse.

    P1 prunes once, globally, and rewinds to the initial weights (A.1: "one-shot", against its section 3.1).  With
    ``rounds`` > 1 pruning is iterative: each round trains, prunes the same share of what lives and rewinds again.

    Args:
        sparsity: at the end, in [0, 1).
        rounds: of pruning, at least 1.
        rewind: step that weights, batch-norm statistics and optimizer go back to; 0 is the initial network.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> ticket = LTH(sparsity=0.84, rounds=2)
        >>> round(ticket.sparsity_after(1), 3), ticket.sparsity_after(2)
        (0.6, 0.84)
    """

    sparsity: float
    rounds: int = 1
    rewind: int = 0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        check_sparsity(self.sparsity)
        if self.rounds < 1 or self.rewind < 0:
            raise SettingError(f"expected rounds ≥ 1 and rewind ≥ 0, got {self.rounds} and {self.rewind}")

    def sparsity_after(self, prunings: int) -> float:
        """The sparsity after so many prunings, exactly the asked one after the last."""
        return self.sparsity if prunings >= self.rounds else 1 - (1 - self.sparsity) ** (prunings / self.rounds)


def prune(
    params: Params,
    sparsity: float,
    generator: torch.Generator,
    *,
    budget: str = "global",
    candidates: Mapping[str, Tensor] | None = None,
) -> Masks:
    """Masks of the largest magnitudes of a network, exact in number: OMP, OMP_ERK (P1 A.1) and tickets, once trained.

    Args:
        params: the trained weights, as ``select`` gives them.
        sparsity: share of zeros over all of them, in [0, 1).
        generator: chooses among equal magnitudes.
        budget: ``"global"`` compares all layers; ``"erk"``, ``"er"`` or ``"uniform"`` fix each layer's number first.
        candidates: who may live; None is everyone.

    Returns:
        The masks.

    Example:
        >>> params = {"w": torch.nn.Parameter(torch.tensor([3.0, -4.0, 1.0, 0.0]))}
        >>> prune(params, 0.5, torch.Generator())["w"]
        tensor([ True,  True, False, False])
    """
    alive = {n: torch.ones_like(p, dtype=torch.bool) for n, p in params.items()} if candidates is None else candidates
    scores = {name: weight.detach().abs() for name, weight in params.items()}
    if budget == "global":
        return rewire.keep_largest(scores, alive, live_weights(shapes(params), sparsity), generator)
    # candidates cap each layer: whole-number shares of a shrinking budget can rise by one
    capacity = {name: int(mask.count_nonzero()) for name, mask in alive.items()}
    wanted = counts(shapes(params), find(budget)(shapes(params), sparsity, capacity=capacity))
    return {name: rewire.largest(score, alive[name], wanted[name], generator) for name, score in scores.items()}
