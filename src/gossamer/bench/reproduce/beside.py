"""The paper's numbers beside ours, and how many standard deviations lie between them."""

from collections.abc import Iterable, Mapping, Sequence
from math import hypot
from statistics import mean, stdev
from typing import Any

from gossamer.bench.reproduce.paper import Reported

Measured = Mapping[tuple[str, str], Sequence[float]]  # (variant, quantity) to one number a seed


def beside(reported: Iterable[Reported], measured: Measured) -> list[dict[str, Any]]:
    """One row for each number of the paper.

    Args:
        reported: of the paper.
        measured: of ours.

    Returns:
        Of each number that was measured: variant, quantity, the paper's value and deviation, our mean, deviation and
        number of seeds, and the difference in standard deviations: (ours - paper) / √(σ² + σ'²), σ the deviation over
        our seeds and σ' the paper's, as far as each is known; None where neither is.

    Example:
        >>> rows = beside([Reported("lottery", "accuracy", 0.9, 0.03)], {("lottery", "accuracy"): [0.96, 1.04]})
        >>> round(rows[0]["mean"], 3), round(rows[0]["difference"], 2)
        (1.0, 1.56)
    """
    rows = []
    for each in reported:
        own = list(measured.get((each.variant, each.quantity), ()))
        if not own:  # a trial that is shorter than the paper's training
            continue
        spread = stdev(own) if len(own) > 1 else None
        rows.append(
            {
                "variant": each.variant,
                "quantity": each.quantity,
                "paper": each.value,
                "paper_deviation": each.deviation,
                "mean": mean(own),
                "deviation": spread,
                "count": len(own),
                "difference": _apart(mean(own) - each.value, spread, each.deviation),
            }
        )
    return rows


def _apart(difference: float, own: float | None, theirs: float | None) -> float | None:
    scale = hypot(own or 0.0, theirs or 0.0)
    return difference / scale if scale > 0 else None
