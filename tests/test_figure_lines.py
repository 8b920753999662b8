"""Curves: means over repetitions, the same bytes in any process, words inside, bands and marks in place."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from gossamer.figure.lines import Curve, Panel, curves, lines
from gossamer.figure.look import looks


def rows(methods: int = 3, seeds: int = 3) -> list[dict[str, Any]]:
    return [
        {"method": f"method_{m}", "seed": seed, "step": 100 * step, "norm": 2.0 + m + 0.1 * seed - 0.01 * step}
        for m in range(methods)
        for seed in range(seeds)
        for step in range(50)
    ]


def panels(methods: int = 3) -> list[Panel]:
    own = curves(rows(methods), "step", "norm", "method")
    return [
        Panel(curves=own, x="step", y="gradient norm", title="left $x_1", marks=(0.0, 1000.0), levels=(2.0,)),
        Panel(curves=own, x="step", y="the same", title="right", log_y=True, log_x=True),
    ]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_lines import panels
from gossamer.figure.lines import lines
lines(panels(), "Digits", Path(sys.argv[1]))
"""


def test_the_same_table_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [lines(panels(), "Digits", tmp_path / name / "lines") for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "lines")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def test_curves_are_means_with_the_deviation_over_repetitions() -> None:
    table = [
        {"by": "a", "x": 1.0, "y": 4.0}, {"by": "a", "x": 0.0, "y": 1.0}, {"by": "a", "x": 0.0, "y": 3.0},
        {"by": "b", "x": 0.0, "y": 5.0}, {"by": "b", "x": 0.0, "y": None}, {"by": "b", "x": 2.0},
    ]  # fmt: skip
    first, second = curves(table, "x", "y", "by")
    assert (first.label, list(first.x), list(first.y)) == ("a", [0.0, 1.0], [2.0, 4.0])
    assert list(first.spread) == [pytest.approx(np.std([1, 3], ddof=1)), 0.0]
    assert (second.label, list(second.x), list(second.y), list(second.spread)) == ("b", [0.0], [5.0], [])


def words_of(path: Path) -> str:
    return " ".join("".join(ET.parse(path).getroot().itertext()).split())


def test_every_word_is_written(tmp_path: Path) -> None:
    png, svg = lines(panels(), "A title of $x_1", tmp_path / "lines")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    told = words_of(svg)
    for word in ("A title of $x_1", "left $x_1", "right", "gradient norm", "step", "method_0", "method_2"):
        assert word in told


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    lines(*given, **settings)
    figures[0].draw_without_rendering()
    return figures[0]


def test_bands_are_as_high_as_the_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = Curve(label="a", x=[0, 1, 2], y=[1.0, 2.0, 3.0], spread=[0.5, 0.0, 1.0])
    axes = figure_of(monkeypatch, [Panel(curves=[curve], x="x", y="y")], "t", tmp_path / "f").axes[0]
    (band,) = axes.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices}
    assert {(0.0, 0.5), (0.0, 1.5), (1.0, 2.0), (2.0, 2.0), (2.0, 4.0)} <= corners


def test_a_band_that_reaches_zero_stays_on_a_logarithmic_axis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = Curve(label="a", x=[0, 1], y=[1.0, 2.0], spread=[5.0, 0.5])
    axes = figure_of(monkeypatch, [Panel(curves=[curve], x="x", y="y", log_y=True)], "t", tmp_path / "f").axes[0]
    lowest = min(point[1] for point in axes.collections[0].get_paths()[0].vertices)
    assert lowest == pytest.approx(0.1)


@pytest.mark.parametrize("log_y", [False, True])
def test_what_is_no_number_is_left_out(log_y: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = Curve(label="a", x=[0, 1, 2, 3], y=[1.0, float("nan"), float("inf"), -1.0])
    axes = figure_of(monkeypatch, [Panel(curves=[curve], x="x", y="y", log_y=log_y)], "t", tmp_path / "f").axes[0]
    assert list(axes.lines[0].get_xdata()) == ([0] if log_y else [0, 3])


def test_nothing_to_draw_is_drawn_empty(tmp_path: Path) -> None:
    empty = Curve(label="a", x=[], y=[])
    files = lines([Panel(curves=[empty], x="x", y="y"), Panel(curves=[], x="x", y="y")], "t", tmp_path / "f")
    assert all(path.stat().st_size > 1000 for path in files)


def test_points_without_a_line_have_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve = Curve(label="a", x=[0, 1], y=[1.0, 2.0], spread=[0.5, 0.25], line=False)
    axes = figure_of(monkeypatch, [Panel(curves=[curve], x="x", y="y")], "t", tmp_path / "f").axes[0]
    assert axes.lines[0].get_linestyle() == "None"
    assert [[point[1] for point in bar] for bar in axes.collections[0].get_segments()] == [[0.5, 1.5], [1.75, 2.25]]


def test_marks_and_levels_stand_where_they_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = figure_of(monkeypatch, panels(), "t", tmp_path / "f").axes[0]
    grey = [line for line in axes.lines if line.get_color() == "0.6"]
    assert [line.get_xdata()[0] for line in grey[:2]] == [0.0, 1000.0]
    assert list(grey[2].get_ydata()) == [2.0, 2.0]


def test_one_legend_names_each_label_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = figure_of(monkeypatch, panels(), "t", tmp_path / "f")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["method_0", "method_1", "method_2"]


@pytest.mark.parametrize("methods", [1, 11])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_words_stay_inside_and_apart(methods: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = "Fashion-MNIST, convnet, set 90 %, seed 0\n" + "gradient norm of the live weights " * 6
    figure = figure_of(monkeypatch, (panels(methods) * 3)[:count], title, tmp_path / "f")
    words = [figure._suptitle, *figure.legends[0].get_texts()]
    words += [text for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label)]
    for text in words:
        assert text is not None
        place = text.get_window_extent()
        assert place.x0 >= -1, text.get_text()
        assert place.x1 <= figure.bbox.x1 + 1, text.get_text()
        assert place.y0 >= -1, text.get_text()
        assert place.y1 <= figure.bbox.y1 + 1, text.get_text()
    left = min(text.get_window_extent().x0 for text in figure.legends[0].get_texts())
    assert all(axes.get_window_extent().x1 <= left for axes in figure.axes)


@pytest.mark.parametrize("count", [1, 5, 60])
def test_names_of_layers_stand_below_and_are_thinned_out(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"layer{n}.0.conv1.weight" for n in range(count)]
    curve = Curve(label="erk", x=range(count), y=[0.5] * count)
    figure = figure_of(monkeypatch, [Panel(curves=[curve], x="", y="density", names=names)], "t", tmp_path / "f")
    shown = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert len(shown) <= 24
    assert shown[0] == names[0]
    assert set(shown) <= set(names)


def test_looks_differ_in_more_than_colour() -> None:
    found = looks([f"method {n}" for n in range(12)])
    assert len({(look.marker, look.dash) for look in found.values()}) == 12
    assert len(set(found.values())) == 12
    assert looks(["dense", "set"])["dense"].marker == ""
    assert looks(["a", "dense", "b", "a"])["b"] == looks(["a", "b"])["b"]  # baselines take no colour from others
    many = looks([f"m{n}" for n in range(42)]).values()
    assert len({(look.colour, look.marker) for look in many}) == len({(look.marker, look.dash) for look in many}) == 42
