"""A table as a picture: its numbers, its colours, and the same bytes in any process."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from gossamer.figure.grid import grid
from gossamer.figure.save import save

VALUES = [[90.0, 50.25, 10.0], [80.0, float("nan"), 12.5]]
ROWS, COLUMNS = ["gaussian_noise", "fog"], ["1", "3", "last_one"]

DRAW = """
import sys
from pathlib import Path
from tests.test_figure_grid import COLUMNS, ROWS, VALUES
from gossamer.figure.grid import grid
grid(VALUES, ROWS, COLUMNS, "Digits", Path(sys.argv[1]))
"""


def test_the_same_numbers_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [grid(VALUES, ROWS, COLUMNS, "Digits", tmp_path / name / "grid") for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "grid")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def test_every_number_and_name_is_written_and_nan_is_left_empty(tmp_path: Path) -> None:
    png, svg = grid(VALUES, ROWS, COLUMNS, "A title of $x_1", tmp_path / "grid")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    told = " ".join("".join(ET.parse(svg).getroot().itertext()).split())
    for word in ("A title of $x_1", "gaussian_noise", "fog", "90.0", "50.2", "10.0", "80.0", "12.5", "last"):
        assert word in told
    assert "nan" not in told


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    grid(*given, **settings)
    figures[0].draw_without_rendering()
    return figures[0]


def brightness(colour: Any) -> float:
    red, green, blue = to_rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("limits", [{}, {"low": 0.0, "high": 100.0}, {"low": -1.0, "high": 1.0}])
def test_numbers_can_be_told_from_their_ground(
    limits: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [[float(value) for value in np.linspace(limits.get("low", 20), limits.get("high", 70), 11)]]
    figure = figure_of(monkeypatch, values, ["row"], [str(n) for n in range(11)], "t", tmp_path / "grid", **limits)
    axes = figure.axes[0]
    image = axes.images[0]
    grounds = [brightness(image.to_rgba(value)[:3]) for value in values[0]]
    assert grounds == sorted(grounds)  # dark is low
    for text, ground in zip(axes.texts, grounds, strict=True):
        assert abs(brightness(text.get_color()) - ground) > 0.35


@pytest.mark.parametrize("value", [0.0, 55.0, float("nan")])
def test_equal_numbers_are_drawn_too(value: float, tmp_path: Path) -> None:
    files = grid([[value, value]], ["row"], ["a", "b"], "title", tmp_path / "grid")
    assert all(path.stat().st_size > 1000 for path in files)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (19, 6), (10, 10), (3, 30)])
def test_every_word_stays_inside(rows: int, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"single_frequency_greyscale_{n}" for n in range(rows)]
    values = [[float(x * y) for x in range(columns)] for y in range(rows)]
    title = "Digits, convnet, set at 0.9\naccuracy % by corruption and severity, " + "corrupted in memory " * 6
    figure = figure_of(monkeypatch, values, names, [str(n) for n in range(columns)], title, tmp_path / "grid")
    axes = figure.axes[0]
    words = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), figure._suptitle]
    for text in words:
        assert text is not None
        place = text.get_window_extent()
        assert place.x0 >= -1, text.get_text()
        assert place.x1 <= figure.bbox.x1 + 1, text.get_text()
        assert place.y0 >= -1
        assert place.y1 <= figure.bbox.y1 + 1
    title_end = figure._suptitle.get_window_extent().y0  # type: ignore[union-attr]  # it has one
    assert all(text.get_window_extent().y1 <= title_end + 1 for text in axes.get_xticklabels())


def test_the_columns_have_a_name_below_the_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = figure_of(monkeypatch, VALUES, ROWS, COLUMNS, "A title\nof two lines", tmp_path / "grid", axis="severity")
    label = figure.axes[0].xaxis.label
    assert label.get_text() == "severity"
    place = label.get_window_extent()
    assert place.y1 <= figure._suptitle.get_window_extent().y0 + 1
    assert place.y0 >= max(text.get_window_extent().y1 for text in figure.axes[0].get_xticklabels()) - 1


def test_rows_and_columns_have_the_same_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["EL2N", "last-layer GraNd"]
    axes = figure_of(monkeypatch, [[1.0, 0.5], [0.5, 1.0]], names, names, "t", tmp_path / "grid").axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == names
    assert [text.get_text().replace("\n", " ") for text in axes.get_xticklabels()] == names


def test_a_form_of_ones_own(tmp_path: Path) -> None:
    _, svg = grid([[0.123, -1.0]], ["row"], ["a", "b"], "title", tmp_path / "grid", form="+.2f")
    assert "+0.12" in svg.read_text()
    assert "-1.00" in svg.read_text()


@pytest.mark.parametrize("name", ["plain", "net.v2-corruptions", "a.b.c"])
def test_a_stem_may_have_dots(name: str, tmp_path: Path) -> None:
    paths = save(Figure(figsize=(1, 1)), tmp_path / "new" / name)
    assert [path.name for path in paths] == [f"{name}.png", f"{name}.svg"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"{name}.png", f"{name}.svg"]
