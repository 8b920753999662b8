"""Matrices as pictures: how many weights each kernel has, how much each frequency hurts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gossamer.figure.look import LINE, lines_of, titled
from gossamer.figure.save import save

PANEL = 2.3  # inches of the longer side
LEAST = 0.3  # inches of the shorter side
SLOT = 1.3  # inches a picture has at least, for the words above it
LEFT, BETWEEN = 0.5, 0.42  # inches left of the first picture, and between two
THICK, BESIDE = 0.1, 0.75  # inches of a colour bar, and with its words
WORD = 0.125  # inches of a line above a picture
MAP = "cividis"  # monotone in brightness, and the same to colour-blind readers
LETTERS = 14.5  # of a panel's title, an inch


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """One picture.

    Args:
        values: rows of numbers, the first row on top; nan is left white.
        title: above it.
        extent: numbers at the left, right, bottom and top edge, where the axes have a scale; None counts cells.
    """

    values: Sequence[Sequence[float]]
    title: str = ""
    extent: tuple[float, float, float, float] | None = None


def heat(
    matrices: Sequence[Matrix],
    title: str,
    stem: Path,
    *,
    x: str,
    y: str,
    bar: str,
    columns: int = 4,
    low: float | None = None,
    high: float | None = None,
    together: bool = True,
) -> list[Path]:
    """Draw matrices as PNG and SVG; dark is low.

    Args:
        matrices: from left to right, then down.
        title: of what they are.
        stem: path without ending.
        x: what the columns are.
        y: what the rows are.
        bar: what the colours are, with their unit.
        columns: pictures beside one another at most.
        low: the number of the darkest colour; None is the smallest one.
        high: that of the brightest; None is the largest one.
        together: one scale of colours for all of them; otherwise each has its own bar.

    Returns:
        The two files; the same numbers give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> counts = Matrix(values=[[9, 0], [3, 1]], title="conv1")
        >>> where = Path(mkdtemp()) / "kernels"
        >>> [path.suffix for path in heat([counts], "toy", where, x="input", y="output", bar="live weights")]
        ['.png', '.svg']
    """
    tables = [np.asarray(matrix.values, dtype=float) for matrix in matrices]
    ends = _ends(tables, low, high)
    places, size = _places(matrices, tables, min(columns, len(matrices)), title, together)
    figure = Figure(figsize=size)
    drawn = []
    for matrix, table, place in zip(matrices, tables, places, strict=True):
        axes = _axes(figure, place)
        drawn.append(_draw(axes, matrix, table, ends if together else _ends([table], low, high)))
        axes.set_title(_broken(matrix.title, place.room), fontsize=7.5, loc="left", pad=3, parse_math=False)
        if place.last:
            axes.set_xlabel(x, fontsize=7.5, labelpad=1, parse_math=False)
        if place.first:
            axes.set_ylabel(y, fontsize=7.5, labelpad=1, parse_math=False)
        if not together:
            _bar(figure, drawn[-1], replace(place, left=place.left + place.width + 0.12, width=THICK), bar)
    if together:
        height = min(max(place.height for place in places), PANEL)
        end = Place(left=size[0] - BESIDE + 0.1, top=places[0].top, width=THICK, height=height)
        _bar(figure, drawn[0], end, bar)
    titled(figure, title)
    return save(figure, stem)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Of a pair of axes, in inches from the top left of the figure."""

    left: float
    top: float
    width: float
    height: float
    room: float = 0.0  # for its title
    first: bool = False  # of its row
    last: bool = False  # of its column


def _places(
    matrices: Sequence[Matrix], tables: Sequence[Any], across: int, title: str, together: bool
) -> tuple[list[Place], tuple[float, float]]:
    """Where each picture stands, and the size of the figure: slots of one width, rows as high as they need."""
    sides = [_sides(table) for table in tables]
    own = 0.0 if together else BESIDE
    slot = max(max(width for width, _ in sides), SLOT)
    width = max(LEFT + across * (slot + BETWEEN + own) + (BESIDE if together else 0.0), 4.0)
    words = [_broken(matrix.title, slot + own).count("\n") + 1 for matrix in matrices]
    top, places = 0.12 + LINE * lines_of(title, width), []
    for start in range(0, len(matrices), across):
        row = range(start, min(start + across, len(matrices)))
        top += 0.08 + WORD * max(words[number] for number in row)
        for number in row:
            left = LEFT + (number - start) * (slot + BETWEEN + own)
            wide, high = sides[number]
            below = number + across >= len(matrices)
            places.append(
                Place(left=left, top=top, width=wide, height=high, room=slot + own, first=number == start, last=below)
            )
        top += max(sides[number][1] for number in row) + 0.42
    return places, (width, top)


def _axes(figure: Figure, place: Place) -> Axes:
    width, height = figure.get_size_inches()
    bottom = height - place.top - place.height
    return figure.add_axes((place.left / width, bottom / height, place.width / width, place.height / height))


def _sides(table: Any) -> tuple[float, float]:
    """Width and height in inches: cells are square unless one side would be a thread."""
    rows, columns = table.shape
    scale = PANEL / max(rows, columns)
    return max(columns * scale, LEAST), max(rows * scale, LEAST)


def _ends(tables: Sequence[Any], low: float | None, high: float | None) -> tuple[float, float]:
    """Numbers of the darkest and the brightest colour."""
    known = np.concatenate([table[np.isfinite(table)] for table in tables])
    least = low if low is not None else float(known.min()) if len(known) else 0.0
    most = high if high is not None else float(known.max()) if len(known) else 1.0
    return least, most if most > least else least + 1.0


def _draw(axes: Axes, matrix: Matrix, table: Any, ends: tuple[float, float]) -> Any:
    image = axes.imshow(
        table, cmap=MAP, vmin=ends[0], vmax=ends[1], interpolation="nearest", aspect="auto", extent=matrix.extent
    )
    axes.tick_params(labelsize=6.5, length=2)
    if matrix.extent is None:
        axes.set_xticks(_ticks(table.shape[1]))
        axes.set_yticks(_ticks(table.shape[0]))
    axes.spines[:].set_linewidth(0.5)
    return image


def _ticks(count: int) -> list[int]:
    """First and last cell, and the middle one of many."""
    return sorted({0, count // 2, count - 1} if count > 8 else {0, count - 1})


def _bar(figure: Figure, image: Any, place: Place, label: str) -> None:
    bar = figure.colorbar(image, cax=_axes(figure, place))
    bar.set_label(label, fontsize=7.5)
    bar.ax.tick_params(labelsize=6.5, length=2)
    bar.ax.spines[:].set_linewidth(0.5)


def _broken(title: str, width: float) -> str:
    return "\n".join(line for part in title.split("\n") for line in wrap(part, max(int(LETTERS * width), 8)))
