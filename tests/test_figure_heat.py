"""Matrices as pictures: the cells are the numbers, small ones stay visible, words do not meet, the same bytes."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from gossamer.figure.heat import Matrix, heat

SHAPES = [(1, 6), (6, 16), (64, 64), (128, 64), (9, 300)]
WORDS: dict[str, Any] = {"x": "output channel", "y": "input channel", "bar": "live weights"}


def matrices() -> list[Matrix]:
    generator = np.random.default_rng(0)
    return [
        Matrix(values=generator.integers(0, 10, shape).tolist(), title=f"layer{n}.0.conv1\ndensity 0.$3")
        for n, shape in enumerate(SHAPES)
    ]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_heat import WORDS, matrices
from gossamer.figure.heat import heat
heat(matrices(), "Digits", Path(sys.argv[1]), **WORDS)
"""


def test_the_same_numbers_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [heat(matrices(), "Digits", tmp_path / name / "heat", **WORDS) for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "heat")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def test_every_word_is_written(tmp_path: Path) -> None:
    _, svg = heat(matrices(), "A title of $x_1", tmp_path / "heat", **WORDS)
    told = " ".join("".join(ET.parse(svg).getroot().itertext()).split())
    for word in ("A title of $x_1", "layer0.0.conv1", "layer4.0.conv1", "density 0.$3", *WORDS.values()):
        assert word in told


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    heat(*given, **{**WORDS, **settings})
    figures[0].draw_without_rendering()
    return figures[0]


def pictures(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("together", [True, False])
def test_cells_are_the_numbers_on_their_scale(together: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [Matrix(values=[[0.0, 5.0]]), Matrix(values=[[1.0], [2.0]]), Matrix(values=[[7.0, float("nan")]])]
    shown = pictures(figure_of(monkeypatch, given, "t", tmp_path / "heat", together=together))
    for axes, matrix in zip(shown, given, strict=True):
        np.testing.assert_array_equal(np.ma.filled(axes.images[0].get_array(), np.nan), matrix.values)
    scales = [axes.images[0].get_clim() for axes in shown]
    assert scales == ([(0.0, 7.0)] * 3 if together else [(0.0, 5.0), (1.0, 2.0), (7.0, 8.0)])


def test_limits_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = pictures(figure_of(monkeypatch, matrices(), "t", tmp_path / "heat", low=-1.0, high=25.0))
    assert {axes.images[0].get_clim() for axes in shown} == {(-1.0, 25.0)}


@pytest.mark.parametrize("count", [1, 2, 4, 5])
@pytest.mark.parametrize("together", [True, False])
def test_nothing_meets_and_everything_is_inside(
    count: int, together: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "Fashion-MNIST, convnet, set 90 %, seed 0\n" + "live weights of each kernel " * 5
    figure = figure_of(monkeypatch, matrices()[:count], title, tmp_path / "heat", together=together)
    boxes = [axes.get_tightbbox() for axes in figure.axes] + [text.get_window_extent() for text in figure.texts]
    for place, one in enumerate(boxes):
        assert one.x0 >= -1
        assert one.y0 >= -1
        assert one.x1 <= figure.bbox.x1 + 1
        assert one.y1 <= figure.bbox.y1 + 1
        for other in boxes[:place]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            down = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert across <= 1 or down <= 1, (one, other)


def test_cells_are_square_unless_a_side_would_be_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = pictures(figure_of(monkeypatch, matrices(), "t", tmp_path / "heat"))
    for axes, (rows, columns) in zip(shown, SHAPES, strict=True):
        box = axes.get_window_extent()
        if min(rows, columns) / max(rows, columns) > 0.2:
            assert box.width / columns == pytest.approx(box.height / rows)
        assert min(box.width, box.height) >= 0.3 * axes.figure.dpi - 1


def test_axes_with_a_scale_of_their_own_have_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = Matrix(values=[[0.0] * 8] * 8, extent=(-4.5, 3.5, 3.5, -4.5))
    axes = pictures(figure_of(monkeypatch, [plane], "t", tmp_path / "heat"))[0]
    assert axes.get_xlim() == (-4.5, 3.5)
    assert axes.get_ylim() == (3.5, -4.5)
    assert axes.images[0].get_extent() == [-4.5, 3.5, 3.5, -4.5]


@pytest.mark.parametrize("value", [0.0, 3.0, float("nan")])
def test_equal_numbers_are_drawn_too(value: float, tmp_path: Path) -> None:
    files = heat([Matrix(values=[[value, value]])], "t", tmp_path / "heat", **WORDS)
    assert all(path.stat().st_size > 1000 for path in files)


def test_the_largest_matrix_is_drawn(tmp_path: Path) -> None:
    values = (np.arange(512 * 512).reshape(512, 512) % 10).tolist()
    files = heat([Matrix(values=values, title="layer4")], "t", tmp_path / "heat", **WORDS)
    assert all(path.stat().st_size > 1000 for path in files)
