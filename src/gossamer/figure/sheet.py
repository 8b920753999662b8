"""Images beside one another with a word under each (P1's figure 1): what is easy, hard, corrupted or attacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gossamer.figure.save import save

SIDE = 0.72  # inches of an image
GAP = 0.25  # of it between two groups


@dataclass(frozen=True)
class Row:
    """One line of a sheet.

    Args:
        label: to the left of it.
        images: each (H, W) or (H, W, 3), levels 0..255 as any array.
        words: under each image.
    """

    label: str
    images: Sequence[Any]
    words: Sequence[str]


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
    width = max(SIDE * (across + GAP * (groups - 1)) + 1.1, 4.0)
    lines = [line for part in title.split("\n") for line in wrap(part, int(16 * width))]
    figure = Figure(figsize=(width, 1.13 * len(rows) * SIDE + 0.2 * len(lines) + 0.3), layout="constrained")
    places = [place + place * groups // across for place in range(across)]  # an empty column between two groups
    ratios = [1.0 if place in places else GAP for place in range(across + groups - 1)]
    layout = figure.add_gridspec(len(rows), len(ratios), width_ratios=ratios)
    for line, row in enumerate(rows):
        panels = [figure.add_subplot(layout[line, place]) for place in places]
        _draw(row, panels)
        if line == 0:
            for place, word in enumerate(columns):
                panels[-(-place * across // groups)].set_title(word, fontsize=8, loc="left")
    figure.suptitle("\n".join(lines), fontsize=8, x=0.01, horizontalalignment="left", parse_math=False)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)  # type: ignore[union-attr, call-arg]  # constrained
    return save(figure, stem)


def _draw(row: Row, panels: Sequence[Axes]) -> None:
    for axes in panels:
        axes.set_axis_off()
    for axes, image, word in zip(panels, row.images, row.words, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.text(0.5, -0.04, word, transform=axes.transAxes, fontsize=5.5, ha="center", va="top", parse_math=False)
    panels[0].text(
        -0.12, 0.5, row.label, transform=panels[0].transAxes, fontsize=7, ha="right", va="center", parse_math=False
    )
