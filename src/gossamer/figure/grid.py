"""A table of numbers as a picture: rows, columns, a colour and the number in each cell."""

import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from matplotlib.figure import Figure

from gossamer.figure.save import save

CELL = (0.62, 0.27)  # inches


def grid(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    stem: Path,
    *,
    axis: str = "",
    low: float | None = None,
    high: float | None = None,
    form: str = ".1f",
) -> list[Path]:
    """Draw a table as PNG and SVG; dark is low.

    Args:
        values: a row of numbers for each of ``rows``; nan is left empty.
        rows: their names.
        columns: the names of the columns.
        title: what it shows, with units.
        stem: path without ending.
        axis: what the columns are, above them.
        low: the number of the darkest colour; None is the smallest one.
        high: that of the brightest; None is the largest one.
        form: how a number is written.

    Returns:
        The two files; the same numbers give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> [path.suffix for path in grid([[50.0]], ["fog"], ["1"], "toy", Path(mkdtemp()) / "grid")]
        ['.png', '.svg']
    """
    width = max(CELL[0] * len(columns) + 0.085 * max(map(len, rows)) + 0.3, 4.2)
    lines = [line for part in title.split("\n") for line in wrap(part, int(15 * width))]
    height = CELL[1] * len(rows) + 0.45 + 0.17 * (len(lines) + bool(axis))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    known = [value for line in values for value in line if value == value]  # not nan
    bottom, top = min(known, default=0.0) if low is None else low, max(known, default=1.0) if high is None else high
    axes.imshow(values, cmap="cividis", vmin=bottom, vmax=top, aspect="auto")
    axes.set_xticks(range(len(columns)), ["\n".join(re.split("[_ ]", name)) for name in columns], fontsize=7.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=7.5)
    axes.set_xlabel(axis, fontsize=7.5, labelpad=4, loc="left")
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            if value == value:
                ink = "white" if value - bottom < 0.55 * (top - bottom) else "black"
                axes.text(x, y, f"{value:{form}}", ha="center", va="center", fontsize=7, color=ink)
    figure.suptitle("\n".join(lines), fontsize=8, x=0.01, horizontalalignment="left", parse_math=False)
    return save(figure, stem)
