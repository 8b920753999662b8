"""Spectra: every value counted once, negative ones visible and told, the same bytes in any process."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from gossamer.figure.histogram import Spectrum, Values, histogram

BEFORE = [0.0] * 50 + [float(n) for n in range(1, 9)]
AFTER = [-2.0, -1.0, *BEFORE]


def panels() -> list[Spectrum]:
    spectra = [Values(label="before $a_1", values=BEFORE), Values(label="after", values=AFTER)]
    return [Spectrum(spectra=spectra, title="step 500"), Spectrum(spectra=spectra, linear=0.1)]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_histogram import panels
from gossamer.figure.histogram import histogram
histogram(panels(), "Digits", Path(sys.argv[1]))
"""


def test_the_same_values_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [histogram(panels(), "Digits", tmp_path / name / "h") for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "h")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def test_labels_and_the_number_below_zero_are_written(tmp_path: Path) -> None:
    _, svg = histogram(panels(), "A title of $x_1", tmp_path / "h", x="eigenvalue of H")
    told = " ".join("".join(ET.parse(svg).getroot().itertext()).split())
    for word in ("A title of $x_1", "before $a_1: 0 of 58 below 0", "after: 2 of 60 below 0", "eigenvalue of H", "500"):
        assert word in told


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any, **settings: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    histogram(*given, **settings)
    figures[0].draw_without_rendering()
    return figures[0]


def steps(figure: Figure, place: int) -> list[StepPatch]:
    return [patch for patch in figure.axes[place].patches if isinstance(patch, StepPatch)]


@pytest.mark.parametrize("bins", [1, 7, 60])
def test_every_value_is_counted_once_on_both_axes(bins: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = figure_of(monkeypatch, panels(), "t", tmp_path / "h", bins=bins)
    for place in range(2):
        counts = [patch.get_data().values.sum() for patch in steps(figure, place)]
        assert counts == [len(BEFORE), len(AFTER)]
        assert figure.axes[place].get_yscale() == "log"


def test_bins_are_equally_wide_on_the_axis_they_are_drawn_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = figure_of(monkeypatch, panels(), "t", tmp_path / "h")
    for place in range(2):
        edges = steps(figure, place)[0].get_data().edges
        pixels = figure.axes[place].transData.transform([(edge, 1.0) for edge in edges])[:, 0]
        assert np.allclose(np.diff(pixels), np.diff(pixels).mean(), rtol=1e-6)
        low, high = figure.axes[place].get_xlim()
        assert low < min(AFTER)
        assert high > max(AFTER)


def test_a_panel_of_its_own_limits_shows_what_lies_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = Spectrum(spectra=[Values(label="all", values=AFTER)], low=-2.5, high=-0.5)
    figure = figure_of(monkeypatch, [panel], "t", tmp_path / "h")
    assert steps(figure, 0)[0].get_data().values.sum() == 2
    assert figure.axes[0].get_xlim() == (-2.5, -0.5)


def test_weights_count_and_shares_are_told(tmp_path: Path) -> None:
    panel = Spectrum(spectra=[Values(label="density", values=[-1.0, 1.0], weights=[1.0, 3.0])])
    _, svg = histogram([panel], "t", tmp_path / "h")
    assert "density: 25.0 % below 0" in svg.read_text()


def test_rounding_of_zero_is_not_negative(tmp_path: Path) -> None:
    values = [-1e-9, 1e-9, -0.5, 2.0]
    _, svg = histogram([Spectrum(spectra=[Values(label="all", values=values)], rounding=1e-6)], "t", tmp_path / "h")
    assert "all: 1 of 4 below 0" in svg.read_text()


@pytest.mark.parametrize("values", [[], [0.0], [3.0, 3.0], [float("nan"), 1.0], [-5.0, -1.0]])
@pytest.mark.parametrize("linear", [None, 0.1])
def test_odd_spectra_are_drawn_too(values: list[float], linear: float | None, tmp_path: Path) -> None:
    panel = Spectrum(spectra=[Values(label="all", values=values)], linear=linear)
    assert all(path.stat().st_size > 1000 for path in histogram([panel], "t", tmp_path / "h"))


@pytest.mark.parametrize("high", [0.5, 30.0, 4e6, 1e12])
def test_ticks_of_the_logarithmic_axis_are_few_and_have_zero_among_them(
    high: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = Spectrum(spectra=[Values(label="all", values=[-0.2, 0.0, high])], linear=0.01)
    ticks = list(figure_of(monkeypatch, [panel], "t", tmp_path / "h").axes[0].get_xticks())
    assert 0.0 in ticks
    assert 3 <= len(ticks) <= 9
    assert min(ticks) < 0 < max(ticks)
