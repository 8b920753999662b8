"""What curves are drawn from: a table of repetitions becomes means with bands."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line with its band.

    Args:
        label: in the legend; curves of one label look alike in all panels.
        x: places, in their order.
        y: heights; one that is not finite is left out.
        spread: half of the band's height at each place, such as the standard deviation over seeds; empty is none.
        line: whether its points are joined.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()
    line: bool = True


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes.

    Args:
        curves: in it.
        x: what the x axis is.
        y: what the y axis is, with its unit.
        title: above it.
        log_x: whether x is logarithmic.
        log_y: whether y is.
        names: of the places 0, 1, 2, ... on the x axis, such as layers.
        marks: places of thin vertical lines.
        levels: heights of thin horizontal lines.
        low: where y begins; None is by the curves.
        high: where it ends; None is by the curves.
    """

    curves: Sequence[Curve]
    x: str
    y: str
    title: str = ""
    log_x: bool = False
    log_y: bool = False
    names: Sequence[str] = ()
    marks: Sequence[float] = ()
    levels: Sequence[float] = ()
    low: float | None = None
    high: float | None = None


def curves(rows: Iterable[Mapping[str, Any]], x: str, y: str, by: str, *, line: bool = True) -> list[Curve]:
    """Curves from a table: the mean over all rows of one place, with their standard deviation as a band.

    Args:
        rows: with the columns named below; a row without a number in ``y`` is left out.
        x: column of the places.
        y: column of the heights.
        by: column of the labels; rows that share it and ``x`` are repetitions, such as seeds.
        line: whether points are joined.

    Returns:
        A curve for each label, in the order of the table.

    Example:
        >>> rows = [{"step": 0, "norm": norm, "method": "rigl", "seed": seed} for seed, norm in enumerate((1.0, 3.0))]
        >>> [(curve.label, curve.x, curve.y) for curve in curves(rows, "step", "norm", "method")]
        [('rigl', [0], [2.0])]
    """
    found: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.get(y) is not None:
            found[str(row[by])][row[x]].append(float(row[y]))
    return [
        Curve(
            label=label,
            x=sorted(places),
            y=[fmean(places[place]) for place in sorted(places)],
            spread=[_spread(places[place]) for place in sorted(places)] if max(map(len, places.values())) > 1 else [],
            line=line,
        )
        for label, places in found.items()
    ]


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
