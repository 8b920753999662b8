"""A map of points whose axes mean nothing, only their distances: solutions by multidimensional scaling."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gossamer.figure.look import looks, titled
from gossamer.figure.save import save

SIZE = (5.6, 4.0)  # inches, legend included
ROOM = 0.08  # around the points, of the larger extent


def scatter(
    rows: Sequence[Mapping[str, Any]], title: str, stem: Path, *, stress: float | None = None, unit: str = "L2 distance"
) -> list[Path]:
    """Draw a map as PNG and SVG: both axes have one scale, which a bar shows.

    Args:
        rows: a point each: ``x``, ``y``, its ``group``, and perhaps a ``label`` beside it.
        title: of what they are.
        stem: path without ending.
        stress: of the scaling, said below the title; None says nothing.
        unit: of the distances, at the bar.

    Returns:
        The two files; the same rows give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> rows = [{"group": "pruned", "x": 0.0, "y": 0.0}, {"group": "scratch", "x": 3.0, "y": 4.0}]
        >>> [path.suffix for path in scatter(rows, "toy", Path(mkdtemp()) / "mds", stress=0.01)]
        ['.png', '.svg']
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    look = looks(groups, plain=())
    for group in groups:
        own = [row for row in rows if str(row["group"]) == group]
        axes.scatter(
            [row["x"] for row in own], [row["y"] for row in own], s=42, color=look[group].colour,
            marker=look[group].marker, edgecolors="white", linewidths=0.6, alpha=0.9, label=group,
        )  # fmt: skip
        for row in own:
            if row.get("label"):
                axes.annotate(
                    str(row["label"]), (row["x"], row["y"]), xytext=(4, 4), textcoords="offset points", fontsize=6.5,
                    parse_math=False,
                )  # fmt: skip
    axes.set_aspect("equal", adjustable="box")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("0.7")
    _frame(axes, rows, unit)
    legend = figure.legend(loc="outside right center", frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)
    titled(figure, title if stress is None else f"{title}\nonly distances have a meaning; stress {stress:.3g}")
    return save(figure, stem)


def _frame(axes: Axes, rows: Sequence[Mapping[str, Any]], unit: str) -> None:
    """Room around the points, and below them the bar that shows the scale."""
    left, right = min(row["x"] for row in rows), max(row["x"] for row in rows)
    bottom, top = min(row["y"] for row in rows), max(row["y"] for row in rows)
    extent = max(right - left, top - bottom) or 1.0
    room, short = ROOM * extent, max(0.55 * extent - (top - bottom), 0.0) / 2  # no map flatter than its bar is wide
    wide = max(0.55 * extent - (right - left), 0.0) / 2
    axes.set_xlim(left - room - wide, right + room + wide)
    axes.set_ylim(bottom - 2.2 * room - short, top + room + short)
    length = _round(0.3 * extent)
    start, height = left - wide, bottom - 1.5 * room - short
    axes.plot([start, start + length], [height, height], color="black", linewidth=1.4, solid_capstyle="butt")
    axes.annotate(
        f"{length:g} ({unit})", (start + length, height), xytext=(4, 0), textcoords="offset points", fontsize=7,
        va="center", parse_math=False,
    )  # fmt: skip


def _round(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** floor(log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length)
