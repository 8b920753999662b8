"""Spectra: how many eigenvalues lie where, on a logarithmic count, before and after a change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from gossamer.figure.look import LINE, Look, lines_of, looks, titled
from gossamer.figure.save import save

Floats = np.ndarray[Any, np.dtype[np.float64]]

PANEL = (4.2, 2.4)  # inches
BINS = 60
MOST_TICKS = 4  # on each side of zero, on a logarithmic axis
BEYOND = 0.02  # of the range, on both sides


@dataclass(frozen=True, kw_only=True)
class Values:
    """The values of one spectrum.

    Args:
        label: in the legend; those of one label look alike in all panels.
        values: such as eigenvalues; those that are not finite are left out.
        weights: what each of them counts, such as that of a Ritz value; empty is one.
    """

    label: str
    values: Sequence[float]
    weights: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """One panel: histograms over the same bins.

    Args:
        spectra: drawn over one another; the first is filled, the others are lines.
        title: above it.
        low: smallest value shown; None is the smallest there is.
        high: largest value shown; None is the largest there is.
        linear: the axis is linear within ± this number and logarithmic outside, and so are the bins; None is linear
            everywhere; a power of ten makes round ticks.
        rounding: values within ± this number do not count as below zero.
    """

    spectra: Sequence[Values]
    title: str = ""
    low: float | None = None
    high: float | None = None
    linear: float | None = None
    rounding: float = 0.0


def histogram(
    panels: Sequence[Spectrum],
    title: str,
    stem: Path,
    *,
    x: str = "eigenvalue",
    y: str = "count",
    bins: int = BINS,
    columns: int = 2,
) -> list[Path]:
    """Draw spectra as PNG and SVG; how many values lie below zero is said in each panel.

    Args:
        panels: from left to right, then down.
        title: of what was measured.
        stem: path without ending.
        x: what the values are.
        y: what is counted, on a logarithmic axis.
        bins: of each panel, all equally wide on its axis.
        columns: panels beside one another at most.

    Returns:
        The two files; the same values give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> spectra = [Values(label="before", values=[0.0, 1.0]), Values(label="after", values=[-1.0, 2.0])]
        >>> [path.suffix for path in histogram([Spectrum(spectra=spectra)], "toy", Path(mkdtemp()) / "hessian")]
        ['.png', '.svg']
    """
    across = min(columns, len(panels))
    down = -(-len(panels) // across)
    look = looks([each.label for panel in panels for each in panel.spectra], plain=())
    told = max(len(panel.spectra) + bool(panel.title) for panel in panels)
    width = max(across * PANEL[0], 5.0)
    height = 0.15 + LINE * lines_of(title, width) + down * (PANEL[1] + 0.16 * told)
    figure = Figure(figsize=(width, height), layout="constrained")
    places = figure.subplots(down, across, squeeze=False).flatten()
    for axes, panel in zip(places, panels, strict=False):
        _draw(axes, panel, look, bins)
        axes.set_xlabel(x, fontsize=8, parse_math=False)
        axes.set_ylabel(y, fontsize=8, parse_math=False)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    titled(figure, title)
    return save(figure, stem)


def _draw(axes: Axes, panel: Spectrum, look: Mapping[str, Look], bins: int) -> None:
    found = [_finite(each) for each in panel.spectra]
    edges = _edges(panel, np.concatenate([values for values, _ in found] or [np.zeros(0)]), bins)
    counted = [np.histogram(values, edges, weights=weights)[0] for values, weights in found]
    least = min((counts[counts > 0].min() for counts in counted if counts.any()), default=1.0)
    axes.set_yscale("log", nonpositive="clip")
    if panel.linear is not None:
        axes.set_xscale("symlog", linthresh=panel.linear, linscale=0.9)  # as long as a decade: 0.9 / (1 - 1/10)
        axes.set_xticks(_ticks(panel.linear, edges[0], edges[-1]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(0.0, color="0.6", linewidth=0.7, zorder=0.5)
    for number, (spectrum, counts) in enumerate(zip(panel.spectra, counted, strict=True)):
        own, first = look[spectrum.label], number == 0
        axes.stairs(
            counts, edges, color=own.colour, linewidth=1.1, linestyle="-" if first else own.dash, fill=first,
            alpha=0.45 if first else 1.0, baseline=1e-300 if first else None,
            label=f"{spectrum.label}: {_below(panel, spectrum, *found[number])}",
        )  # fmt: skip
    axes.set_ylim(0.6 * least, 1.5 * max((counts.max() for counts in counted if counts.any()), default=1.0))
    axes.set_xlim(edges[0], edges[-1])
    axes.tick_params(labelsize=7.5)
    legend = axes.legend(  # above the panel, where it hides nothing
        title=panel.title, loc="lower left", bbox_to_anchor=(0.0, 1.0), alignment="left", frameon=False,
        title_fontsize=8, fontsize=7.5, handlelength=2.6, borderpad=0.2, borderaxespad=0.1,
    )  # fmt: skip
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_parse_math(False)
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _finite(spectrum: Values) -> tuple[Floats, Floats]:
    """Values and what each counts, without those that are not finite."""
    values = np.asarray(spectrum.values, dtype=float)
    weights = np.asarray(spectrum.weights, dtype=float) if len(spectrum.weights) else np.ones(len(values))
    kept = np.isfinite(values)
    return values[kept], weights[kept]


def _below(panel: Spectrum, spectrum: Values, values: Floats, weights: Floats) -> str:
    """How many values are negative."""
    negative = values < -panel.rounding
    if not len(spectrum.weights):
        return f"{int(negative.sum()):,} of {len(values):,} below 0"
    return f"{100 * weights[negative].sum() / max(weights.sum(), 1e-300):.1f} % below 0"


def _edges(panel: Spectrum, values: Floats, bins: int) -> Floats:
    """Of bins that are equally wide on the panel's axis."""
    low = float(values.min(initial=0.0)) if panel.low is None else panel.low
    high = float(values.max(initial=0.0)) if panel.high is None else panel.high
    if low == high:
        low, high = low - 0.5, high + 0.5
    there, back = _axis(panel.linear)
    first, last = there(low), there(high)
    room = BEYOND * (last - first)
    ends = first - room * (panel.low is None), last + room * (panel.high is None)
    edges: Floats = back(np.linspace(*ends, bins + 1))
    return edges


def _ticks(linear: float, low: float, high: float) -> list[float]:
    """Zero and decades on both sides, at most four on each."""
    decades = [[linear * 10.0**power for power in range(40) if linear * 10.0**power <= end] for end in (-low, high)]
    step = max(-(-len(side) // MOST_TICKS) for side in decades) or 1
    negative, positive = ([side[place] for place in range(0, len(side), step)] for side in decades)
    return [*(-tick for tick in reversed(negative)), 0.0, *positive]


def _axis(linear: float | None) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To equal steps on the axis and back: linear, or linear within ± ``linear`` and a decade as long outside."""
    if linear is None:
        return (lambda value: value), (lambda place: place)

    def there(value: Any) -> Any:
        beyond = np.maximum(np.abs(value), linear) / linear
        return np.sign(value) * (np.minimum(np.abs(value) / linear, 1) + np.log10(beyond))

    def back(place: Any) -> Any:
        beyond = np.maximum(np.abs(place), 1.0) - 1.0
        return np.sign(place) * linear * np.minimum(np.abs(place), 1) * 10**beyond

    return there, back
