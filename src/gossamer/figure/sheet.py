"""Images beside one another with a word under each (P1's figure 1): what is easy, hard, corrupted or attacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from pathlib import Path
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gossamer.figure.save import save

SIDE = 0.72  # inches of an image
STEP, DOWN = SIDE + 0.06, SIDE + 0.05  # from an image to the next one, and to the one below without its words
WORD, LETTERS = 0.088, 17  # inches of a line under an image, and letters on it
MARK = "#D55E00"  # vermilion of Okabe & Ito 2008
GAP = 0.2  # between two groups
LETTER, LINE = 0.062, 0.15  # inches of a letter of a label, and of a line of the title


@dataclass(frozen=True)
class Row:
    """One line of a sheet.

    Args:
        label: to the left of it.
        images: each (H, W) or (H, W, 3), levels 0..255 as any array.
        words: under each image; long ones are broken between words.
        marked: which images have a frame, and their words are bold; none by default.
    """

    label: str
    images: Sequence[Any]
    words: Sequence[str]
    marked: Sequence[bool] = ()


def sheet(rows: Sequence[Row], title: str, stem: Path, columns: Sequence[str] = ()) -> list[Path]:
    """Draw rows of images as PNG and SVG.

    Args:
        rows: the lines; shorter ones leave room at their end.
        title: what they show.
        stem: path without ending.
        columns: words above groups of equally many columns, such as ``("easiest", "hardest")``.

    Returns:
        The two files; the same images give the same bytes.

    Example:
        >>> from tempfile import mkdtemp
        >>> row = Row("apple", [[[0, 255], [255, 0]]], ["0.1"])
        >>> [path.suffix for path in sheet([row], "toy", Path(mkdtemp()) / "sheet")]
        ['.png', '.svg']
    """
    across, groups = max(len(row.images) for row in rows), max(len(columns), 1)
    left = LETTER * max(len(row.label) for row in rows) + 0.15
    places = [left + STEP * place + GAP * (place * groups // across) for place in range(across)]
    width = max(places[-1] + STEP, 4.0)
    lines = [line for part in title.split("\n") for line in wrap(part, int(14 * width))]
    top = LINE * (len(lines) + bool(columns)) + 0.1
    tops = list(accumulate((DOWN + WORD * _lines(row) for row in rows), initial=top))
    axes = _canvas(width, tops[-1] + 0.03)
    axes.text(0.06, 0.05, "\n".join(lines), fontsize=8, va="top", linespacing=1.25, parse_math=False)
    for group, word in enumerate(columns):
        axes.text(places[-(-group * across // groups)], top - 0.04, word, fontsize=8, parse_math=False)
    for y, row in zip(tops, rows, strict=False):
        axes.text(left - 0.06, y + SIDE / 2, row.label, fontsize=7, ha="right", va="center", parse_math=False)
        _draw(axes, row, places, y)
    return save(axes.figure, stem)  # type: ignore[arg-type]  # a figure, no part of one


def _draw(axes: Axes, row: Row, places: Sequence[float], y: float) -> None:
    """Images, their frames and their words."""
    for x, image, word, mark in zip(places, row.images, row.words, row.marked or repeat(False), strict=False):
        axes.imshow(
            image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto",
            extent=(x, x + SIDE, y + SIDE, y),
        )  # fmt: skip
        if mark:
            axes.add_patch(Rectangle((x, y), SIDE, SIDE, fill=False, edgecolor=MARK, linewidth=1.2))
        axes.text(
            x + SIDE / 2, y + SIDE + 0.02, _broken(word), fontsize=5.5, ha="center", va="top", linespacing=1.05,
            color=MARK if mark else "black", fontweight="bold" if mark else "normal", parse_math=False,
        )  # fmt: skip


def _broken(word: str) -> str:
    return "\n".join(line for part in word.split("\n") for line in wrap(part, LETTERS))


def _lines(row: Row) -> int:
    return max((_broken(word).count("\n") + 1 for word in row.words), default=1)


def _canvas(width: float, height: float) -> Axes:
    """A figure with one axes over all of it, in inches from its top left: a hundred axes take seconds to lay out."""
    axes = Figure(figsize=(width, height)).add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.autoscale(False)
    return axes
