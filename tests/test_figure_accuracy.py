"""The figure: the same rows, the same bytes; every method told apart; dense as a band."""

import ast
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import gossamer.figure
from gossamer.figure.accuracy import COLOURS, accuracy

METHODS = ("set", "rigl", "mest", "granet", "gmp", "snip", "grasp", "synflow", "lth")


def rows(seeds: int = 3) -> list[dict[str, Any]]:
    dense = {"method": "dense", "asked_sparsity": 0.0, "accuracy": 0.9, "accuracy_std": 0.01, "seeds": seeds}
    sparse = [
        {**dense, "method": name, "asked_sparsity": sparsity, "accuracy": 0.88 + 0.004 * place - 0.02 * sparsity}
        for place, name in enumerate(METHODS)
        for sparsity in (0.95, 0.5, 0.8)
    ]
    return [dense, *sparse]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_accuracy import rows
from gossamer.figure.accuracy import accuracy
accuracy(rows(), "Digits, convnet", Path(sys.argv[1]))
"""


def test_the_same_rows_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = accuracy(rows(), "Digits, convnet", tmp_path / "a" / "figure")
    again = accuracy(rows(), "Digits, convnet", tmp_path / "b" / "figure")
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "figure")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(ours, again, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def test_files_are_a_png_and_an_svg_with_every_method_in_words(tmp_path: Path) -> None:
    png, svg = accuracy(rows(), "Digits, convnet, hardest half", tmp_path / "accuracy")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    words = "".join(ET.parse(svg).getroot().itertext())
    assert all(name in words for name in (*METHODS, "dense", "sparsity (%)", "test accuracy (%)"))
    assert "Digits, convnet, hardest half" in words
    assert "mean ± standard deviation over 3 seeds" in words


def test_every_measure_has_a_panel_with_its_own_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    more = {"clean_accuracy": 0.97, "clean_accuracy_std": 0.02}
    accuracy(
        [{**row, **more} for row in rows()], LONG, tmp_path / "a", {"": "under attack", "clean_": "clean accuracy"}
    )
    figure = figures[0]
    figure.draw_without_rendering()
    hard, clean = figure.axes
    assert (hard.get_ylabel(), clean.get_ylabel()) == ("under attack (%)", "clean accuracy (%)")
    assert {float(y) for line in clean.containers for y in line.lines[0].get_ydata()} == {97.0}
    assert len({float(y) for line in hard.containers for y in line.lines[0].get_ydata()}) > 10
    assert [text.get_text() for text in figure.legends[0].texts] == ["dense ± std", *METHODS]
    for axes in (hard, clean):
        assert len(axes.containers) == len(METHODS)
        assert axes.get_tightbbox().x1 <= figure.legends[0].get_window_extent().x0
    assert hard.get_tightbbox().x1 <= clean.get_tightbbox().x0
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1
    assert "each panel has its own scale" in figure._suptitle.get_text()


def test_one_seed_is_called_one_seed(tmp_path: Path) -> None:
    one = [{**row, "accuracy_std": None} for row in rows(seeds=1)]
    _, svg = accuracy(one, "Digits", tmp_path / "accuracy")
    assert "one seed" in "".join(ET.parse(svg).getroot().itertext())
    assert "1 seeds" not in svg.read_text()


def test_more_methods_than_colours_are_still_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[str, str, str]] = []
    errorbar = Axes.errorbar

    def watched(axes: Axes, *given: Any, **named: Any) -> Any:
        looks.append((named["color"], named["marker"], named["linestyle"]))
        assert list(given[0]) == sorted(given[0])
        return errorbar(axes, *given, **named)

    monkeypatch.setattr(Axes, "errorbar", watched)
    accuracy(rows(), "Digits", tmp_path / "accuracy")
    assert len(METHODS) > len(COLOURS)
    assert len(set(looks)) == len({look[:2] for look in looks}) == len(METHODS)  # without their dashes too


@pytest.mark.parametrize(("sparsities", "joined"), [((0.9,), False), ((0.5, 0.9), False), ((0.5, 0.8, 0.9), True)])
def test_fewer_than_three_sparsities_are_not_joined_by_lines(
    sparsities: tuple[float, ...], joined: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    sparse = [{**rows()[1], "method": name, "asked_sparsity": each} for name in "ab" for each in sparsities]
    accuracy([rows()[0], *sparse], "Digits", tmp_path / "accuracy")
    lines = [container.lines[0] for container in figures[0].axes[0].containers]
    assert [line.get_linestyle() for line in lines] == (["-", "-"] if joined else ["None", "None"])
    assert [line.get_marker() for line in lines] == ["o", "s"]


@pytest.mark.parametrize("title", ["price $ of $x^", "a_b {c} \\frac", "ümläut"])
def test_a_title_is_printed_as_it_is(title: str, tmp_path: Path) -> None:
    _, svg = accuracy(rows(), title, tmp_path / "accuracy")
    assert title in "".join(ET.parse(svg).getroot().itertext())


LONG = (
    "Digits, convnet, 20 epochs, 719 of 1438 training images, the hardest over all classes by EL2N after "
    "2 of 20 epochs, mean of 3 networks"
)


def test_the_title_of_a_comparison_fits_into_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []

    def watched(figure: Figure, *given: Any, **named: Any) -> None:
        figures.append(figure)
        figure.draw_without_rendering()

    monkeypatch.setattr(Figure, "savefig", watched)
    accuracy(rows(), LONG, tmp_path / "accuracy")
    title = (figures[0]._suptitle or figures[0].axes[0].title).get_window_extent()
    assert title.x0 >= 0
    assert title.x1 <= figures[0].bbox.x1


@pytest.mark.parametrize("sparsity", [0.98, 0.995])
def test_points_stay_near_their_sparsity_and_below_all(
    sparsity: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    errorbar = Axes.errorbar

    def watched(axes: Axes, *given: Any, **named: Any) -> Any:
        drawn.extend(given[0])
        return errorbar(axes, *given, **named)

    monkeypatch.setattr(Axes, "errorbar", watched)
    high = [{**row, "asked_sparsity": sparsity} if row["method"] != "dense" else row for row in rows()]
    accuracy(high, "Digits", tmp_path / "accuracy")
    assert max(drawn) < 100
    assert max(drawn) - min(drawn) < 5


def test_dense_alone_is_a_figure_too(tmp_path: Path) -> None:
    assert all(path.stat().st_size > 1000 for path in accuracy(rows()[:1], "Digits", tmp_path / "accuracy"))


def test_figures_import_no_torch() -> None:
    for file in Path(gossamer.figure.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "torch" or name.startswith("gossamer.bench") for name in names)
