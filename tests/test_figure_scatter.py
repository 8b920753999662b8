"""A map of points: one scale for both axes, a bar of a round length, no axes without a meaning, the same bytes."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from gossamer.figure.scatter import scatter


def rows(spread: float = 1.0) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    return [
        {"group": group, "x": float(x), "y": float(y)}
        for place, group in enumerate(("scratch $s_1", "lottery", "pruned"))
        for x, y in generator.normal(10 * place, spread, (5, 2))
    ]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_scatter import rows
from gossamer.figure.scatter import scatter
scatter(rows(), "Digits", Path(sys.argv[1]), stress=0.05)
"""


def test_the_same_points_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [scatter(rows(), "Digits", tmp_path / name / "mds", stress=0.05) for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "mds")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def told(path: Path) -> str:
    return " ".join("".join(ET.parse(path).getroot().itertext()).split())


def test_groups_stress_and_labels_are_written_and_axes_are_not(tmp_path: Path) -> None:
    named = [{**row, "label": "start" if not place else ""} for place, row in enumerate(rows())]
    _, svg = scatter(named, "A title of $x_1", tmp_path / "mds", stress=0.0712)
    for word in ("A title of $x_1", "stress 0.0712", "scratch $s_1", "lottery", "pruned", "start", "5 (L2 distance)"):
        assert word in told(svg)
    _, plain = scatter(rows(), "title", tmp_path / "plain", unit="cosine distance")
    assert "stress" not in told(plain)
    assert "cosine distance" in told(plain)


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    scatter(*given, **settings)
    figures[0].draw_without_rendering()
    return figures[0]


@pytest.mark.parametrize("stretch", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1e-4, 1e-4), (1e5, 3e5)])
def test_both_axes_have_one_scale_and_all_points_are_inside(
    stretch: tuple[float, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{**row, "x": stretch[0] * row["x"], "y": stretch[1] * row["y"]} for row in rows()]
    axes = figure_of(monkeypatch, points, "t", tmp_path / "mds").axes[0]
    assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    box = axes.get_window_extent()
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert box.width / (right - left) == pytest.approx(box.height / (top - bottom))
    assert all(left < point["x"] < right and bottom < point["y"] < top for point in points)


@pytest.mark.parametrize(("extent", "length"), [(10.0, 2.0), (20.0, 5.0), (100.0, 20.0), (0.04, 0.01), (4e6, 1e6)])
def test_the_bar_is_as_long_as_it_says(
    extent: float, length: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{"group": "a", "x": 0.0, "y": 0.0}, {"group": "a", "x": extent, "y": extent / 2}]
    axes = figure_of(monkeypatch, points, "t", tmp_path / "mds").axes[0]
    start, end = axes.lines[0].get_xdata()
    assert end - start == pytest.approx(length)
    assert any(text.get_text() == f"{length:g} (L2 distance)" for text in axes.texts)
    assert axes.lines[0].get_ydata()[0] < 0  # below the points


def test_groups_differ_in_colour_and_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = figure_of(monkeypatch, rows(), "t", tmp_path / "mds").axes[0]
    shapes = {tuple(map(tuple, each.get_paths()[0].vertices)) for each in axes.collections}
    assert len(shapes) == len({tuple(each.get_facecolor()[0]) for each in axes.collections}) == 3
    assert [len(each.get_offsets()) for each in axes.collections] == [5, 5, 5]
