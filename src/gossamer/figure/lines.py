"""Curves with bands: gradient norm by step, accuracy by radius, loss along a line, density by layer."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from gossamer.figure.curves import Curve, Panel, curves
from gossamer.figure.look import LINE, PLAIN, Look, lines_of, looks, titled
from gossamer.figure.save import save

__all__ = ["Curve", "Panel", "curves", "lines"]

PANEL = (3.5, 2.75)  # inches
MARKS = 9  # markers a curve, so that they do not hide it
FEW = 16  # points up to which each has its marker
SHORT, LONG = 4, 36  # letters of names on the x axis: that need no turning, and that are not cut


def lines(
    panels: Sequence[Panel], title: str, stem: Path, *, columns: int = 3, plain: Sequence[str] = PLAIN
) -> list[Path]:
    """Draw panels of curves as PNG and SVG.

    Args:
        panels: from left to right, then down.
        title: what was measured, on what, over how many seeds.
        stem: path without ending.
        columns: panels beside one another at most.
        plain: labels of baselines, drawn in grey without markers.

    Returns:
        The two files; the same curves give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> panel = Panel(curves=[Curve(label="rigl", x=[0, 1], y=[2.0, 1.0])], x="step", y="gradient norm")
        >>> [path.suffix for path in lines([panel], "toy", Path(mkdtemp()) / "flow")]
        ['.png', '.svg']
    """
    across = min(columns, len(panels))
    down = -(-len(panels) // across)
    labels = list(dict.fromkeys(curve.label for panel in panels for curve in panel.curves))
    look = looks(labels, plain)
    beside = 0.35 + 0.075 * max((len(label) for label in labels), default=0) + 0.4  # the legend
    width = max(across * PANEL[0], PANEL[0] + 0.9) + beside
    figure = Figure(figsize=(width, 0.15 + LINE * lines_of(title, width) + down * PANEL[1]), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).flatten()
    for axes, panel in zip(places, panels, strict=False):
        _draw(axes, panel, look)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    _legend(figure, places[: len(panels)], labels)
    titled(figure, title)
    return save(figure, stem)


def _draw(axes: Axes, panel: Panel, look: Mapping[str, Look]) -> None:
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log", nonpositive="mask")
    for place in panel.marks:
        axes.axvline(place, color="0.6", linewidth=0.7, zorder=0.5)
    for level in panel.levels:
        axes.axhline(level, color="0.6", linewidth=0.7, zorder=0.5)
    for number, curve in enumerate(panel.curves):
        _curve(axes, curve, look[curve.label], number, panel.log_y)
    axes.set_xlabel(panel.x, fontsize=8, parse_math=False)
    axes.set_ylabel(panel.y, fontsize=8, parse_math=False)
    axes.set_title(panel.title, fontsize=8, loc="left", parse_math=False)
    axes.tick_params(which="both", labelsize=7.5)
    if panel.names:
        _name(axes, panel.names)
    elif not panel.log_x:
        axes.xaxis.set_major_formatter(_plain())
    if not panel.log_y:
        axes.yaxis.set_major_formatter(_plain())
    axes.set_ylim(panel.low, panel.high)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, curve: Curve, look: Look, number: int, log_y: bool) -> None:
    """A line, its markers set off from those of the others, and its band."""
    spread = curve.spread or [0.0] * len(curve.y)
    kept = [
        (place, height, half)
        for place, height, half in zip(curve.x, curve.y, spread, strict=True)
        if isfinite(height) and (height > 0 or not log_y)
    ]
    x, y, band = (list(part) for part in zip(*kept, strict=True)) if kept else ([], [], [])
    apart = 1 if len(x) <= FEW or not curve.line else len(x) // MARKS
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.4} if look.marker else {"markeredgewidth": 1.2}
    axes.plot(
        x, y, color=look.colour, marker=look.marker or (None if curve.line else "_"), markersize=4, **edge,
        linestyle=look.dash if curve.line else "none", linewidth=1.2, label=curve.label,
        markevery=(number * apart // 3 % apart, apart),
    )  # fmt: skip
    if curve.spread:
        # on a logarithmic axis a band that reaches zero ends a tenth of the way down, not at minus infinity
        low = [
            max(height - half, height / 10) if log_y else height - half for height, half in zip(y, band, strict=True)
        ]
        high = [height + half for height, half in zip(y, band, strict=True)]
        if curve.line:
            axes.fill_between(x, low, high, color=look.colour, alpha=0.18, linewidth=0)
        else:
            axes.vlines(x, low, high, color=look.colour, linewidth=0.8)


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Names of places: turned where they are long, and only every n-th where they are many."""
    step = -(-len(names) // 24)
    shown = list(range(0, len(names), step))
    turned = max(map(len, names)) > SHORT
    axes.set_xticks(shown, [_cut(names[place]) for place in shown], fontsize=6.5 if turned else 7.5, parse_math=False)
    if turned:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlim(-0.5, len(names) - 0.5)


def _cut(name: str) -> str:
    return name if len(name) <= LONG else f"…{name[1 - LONG :]}"


def _legend(figure: Figure, places: Iterable[Axes], labels: Sequence[str]) -> None:
    """One for all panels, each label once."""
    handles: dict[str, Any] = {}
    for axes in places:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    shown = [label for label in labels if label in handles]
    if len(shown) > 1 or (shown and shown[0]):
        legend = figure.legend(
            [handles[label] for label in shown], shown, loc="outside right center", frameon=False, fontsize=8,
            handlelength=3.2,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)


def _plain() -> ScalarFormatter:
    form = ScalarFormatter(useOffset=False)
    form.set_powerlimits((-3, 5))
    return form
