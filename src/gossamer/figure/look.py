"""How curves and points are told apart: by colour-blind readers, and in grey."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from matplotlib.figure import Figure

from gossamer.figure.accuracy import COLOURS, MARKERS

DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1))
)  # fmt: skip
GREY = "0.35"
PLAIN = ("dense",)  # baselines, in grey and without marks
LETTERS = 15.2  # of a title, an inch
LINE = 0.165  # inches of a line of a title


@dataclass(frozen=True)
class Look:
    """Of all that belongs to one label.

    Args:
        colour: of Okabe & Ito 2008, or grey.
        marker: of its points.
        dash: of its line.
    """

    colour: str
    marker: str
    dash: Any


def looks(labels: Iterable[str], plain: Iterable[str] = PLAIN) -> Mapping[str, Look]:
    """A look for each label, the same wherever the labels are the same.

    Seven colours repeat with other markers, and markers with other dashes: 42 labels differ, also in grey.

    Args:
        labels: in their order; one that is named twice counts once.
        plain: labels that are drawn in grey, with no marker: baselines.

    Returns:
        Looks by label.

    Example:
        >>> looks(["dense", "rigl"])["rigl"].colour
        '#0072B2'
    """
    each = list(dict.fromkeys(labels))
    grey = [label for label in each if label in set(plain)]
    own = {label: Look(GREY, "", DASHES[place % len(DASHES)]) for place, label in enumerate(grey)}
    return own | {label: _look(place) for place, label in enumerate(name for name in each if name not in own)}


def _look(place: int) -> Look:
    more, colour = divmod(place, len(COLOURS))
    marker = (colour + more) % len(MARKERS)  # so that colour and marker, and marker and dash, do not repeat together
    return Look(COLOURS[colour], MARKERS[marker], DASHES[(marker + more) % len(DASHES)])


def lines_of(title: str, width: float) -> int:
    """How many lines a title takes.

    Args:
        title: of a figure.
        width: of the figure in inches.

    Returns:
        At least one.
    """
    return _broken(title, width).count("\n") + 1


def titled(figure: Figure, title: str) -> None:
    """A title from the left edge, broken to the width of the figure; dollars and underscores are what they are."""
    words, height = _broken(title, figure.get_figwidth()), figure.get_figheight()
    if figure.get_layout_engine() is None:
        figure.text(0.06 / figure.get_figwidth(), 1 - 0.06 / height, words, fontsize=8.5, va="top", parse_math=False)
        return
    figure.suptitle(words, fontsize=8.5, x=0.01, horizontalalignment="left", parse_math=False)


def _broken(title: str, width: float) -> str:
    return "\n".join(line for part in title.split("\n") for line in wrap(part, int(LETTERS * width)))
