"""Accuracy against sparsity (the axes of P1's figures 2, 4 and 5): one line a method, dense as a band."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gossamer.figure.save import save

# Okabe & Ito 2008, told apart by colour-blind readers; markers and dashes keep them apart in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDTH = 110  # letters a line of the title
DASHES = ("-", "--", "-.", ":")
LINE = 3  # sparsities; through fewer a line would show a course that nobody measured


def accuracy(
    rows: Sequence[dict[str, Any]], title: str, stem: Path, measures: Mapping[str, str] | None = None
) -> list[Path]:
    """Draw accuracy against sparsity, mean and standard deviation over seeds, as PNG and SVG.

    Args:
        rows: of a comparison: method, sparsity asked, accuracy in [0, 1], its standard deviation or None, seeds.
        title: data, network and training samples in words.
        stem: path without ending.
        measures: label of each accuracy by the prefix of its columns, a panel each; default: the test accuracy alone.

    Returns:
        The two files; the same rows give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> row = {"method": "dense", "asked_sparsity": 0.0, "accuracy": 0.9, "accuracy_std": None, "seeds": 1}
        >>> [path.suffix for path in accuracy([row], "toy", Path(mkdtemp()) / "accuracy")]
        ['.png', '.svg']
    """
    measures = measures or {"": "test accuracy"}
    figure = Figure(figsize=(7.2 if len(measures) == 1 else 1.6 + 4.4 * len(measures), 4.2), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, (prefix, label) in zip(panels, measures.items(), strict=True):
        _draw(axes, rows, prefix)
        axes.set_ylabel(f"{label} (%)")
    seeds = max(row["seeds"] for row in rows)
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    spread += "; each panel has its own scale" if len(measures) > 1 else ""
    width = WIDTH * figure.get_figwidth() / 7.2
    lines = [line for part in (*title.split("\n"), spread) for line in wrap(part, int(width))]
    figure.suptitle("\n".join(lines), fontsize=8.5, x=0.01, horizontalalignment="left", parse_math=False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=8)
    return save(figure, stem)


def _draw(axes: Axes, rows: Sequence[dict[str, Any]], prefix: str) -> None:
    """One panel: a line a method, dense as a band."""
    _draw_dense(axes, [row for row in rows if row["method"] == "dense"], prefix)
    sparse = list(dict.fromkeys(row["method"] for row in rows if row["method"] != "dense"))
    levels = {row["asked_sparsity"] for row in rows if row["method"] != "dense"}
    apart = _spacing([100 * row["asked_sparsity"] for row in rows if row["method"] != "dense"], len(sparse))
    for place, method in enumerate(sparse):
        colour, marker, dash = _look(place)
        own = sorted((row for row in rows if row["method"] == method), key=lambda row: float(row["asked_sparsity"]))
        axes.errorbar(
            # a little apart, so that bars of methods at one sparsity can be told from one another
            [100 * row["asked_sparsity"] + apart * (place - (len(sparse) - 1) / 2) for row in own],
            [100 * row[f"{prefix}accuracy"] for row in own],
            yerr=[100 * (row[f"{prefix}accuracy_std"] or 0.0) for row in own],
            color=colour, marker=marker, linestyle=dash if len(levels) >= LINE else "none", markersize=5, linewidth=0.9,
            elinewidth=0.8, capsize=2, label=method,
        )  # fmt: skip
    axes.set_xticks(sorted({100 * row["asked_sparsity"] for row in rows if row["method"] != "dense"} or {0.0}))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("sparsity (%); points are set a little apart")
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _look(place: int) -> tuple[str, str, str]:
    """Colour, marker and dashes: the second seven have other markers to the colours, so that they need no line."""
    more, colour = divmod(place, len(COLOURS))
    return COLOURS[colour], MARKERS[(colour + more) % len(MARKERS)], DASHES[more % len(DASHES)]


def _spacing(sparsities: Sequence[float], methods: int) -> float:
    """Distance between neighbouring methods, all of them within an eighth of the gap between two sparsities."""
    levels = sorted(set(sparsities))
    gap = min((high - low for low, high in pairwise(levels)), default=4.0)
    return min(0.125 * gap / max(methods, 1), 0.5)


def _draw_dense(axes: Axes, dense: Sequence[dict[str, Any]], prefix: str) -> None:
    for row in dense:
        level, spread = 100 * row[f"{prefix}accuracy"], 100 * (row[f"{prefix}accuracy_std"] or 0.0)
        axes.axhline(level, color="0.35", linewidth=1.2, label="dense ± std")
        axes.axhspan(level - spread, level + spread, color="0.35", alpha=0.15, linewidth=0)
