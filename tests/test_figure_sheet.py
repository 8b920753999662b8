"""Images beside one another: where each stands, what stands under it, and the same bytes in any process."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gossamer.figure.sheet import Row, sheet


def rows(count: int = 4, lines: int = 3) -> list[Row]:
    """Flat images, brighter to the right and further down."""
    images = [[np.full((8, 8), 12 * x + 60 * y, np.uint8) for x in range(count)] for y in range(lines)]
    return [Row(f"line {y}", line, [f"{x},{y}" for x in range(count)]) for y, line in enumerate(images)]


DRAW = """
import sys
from pathlib import Path
from tests.test_figure_sheet import rows
from gossamer.figure.sheet import sheet
sheet(rows(), "Digits", Path(sys.argv[1]), ("easiest", "hardest"))
"""


def test_the_same_images_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    ours = [sheet(rows(), "Digits", tmp_path / name / "sheet", ("easiest", "hardest")) for name in "ab"]
    words = [sys.executable, "-c", DRAW, str(tmp_path / "c" / "sheet")]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[1])
    for one, other in zip(*ours, strict=True):
        assert one.read_bytes() == other.read_bytes() == (tmp_path / "c" / one.name).read_bytes()


def words_of(path: Path) -> str:
    return " ".join("".join(ET.parse(path).getroot().itertext()).split())


def test_all_words_are_there(tmp_path: Path) -> None:
    png, svg = sheet(rows(), "Digits of $ and _{x}", tmp_path / "sheet", ("easiest", "hardest"))
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    told = words_of(svg)
    for word in ("Digits of $ and _{x}", "easiest", "hardest", "line 0", "line 2", "0,0", "3,2"):
        assert word in told


def figure_of(monkeypatch: pytest.MonkeyPatch, *given: Any) -> Figure:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    sheet(*given)
    figures[0].draw_without_rendering()
    return figures[0]


@pytest.mark.parametrize("groups", [(), ("easiest", "hardest"), ("a", "b", "c")])
def test_images_stand_in_their_order_with_a_gap_between_groups(
    groups: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    axes = figure_of(monkeypatch, rows(6), "title", tmp_path / "sheet", groups).axes[0]
    left, down = ([image.get_extent()[place] for image in axes.images] for place in (0, 3))
    assert len(left) == 18
    assert left[:6] == sorted(left[:6])
    assert left[:6] == left[6:12] == left[12:]
    assert down[0] < down[6] < down[12]
    steps = np.diff(left[:6]).round(6)
    wide = [n for n, step in enumerate(steps) if step > steps.min()]
    assert wide == {0: [], 2: [2], 3: [1, 3]}[len(groups)]
    for image, value in zip(axes.images, [12 * x + 60 * y for y in range(3) for x in range(6)], strict=True):
        assert (image.get_array() == value).all()
        assert image.get_clim() == (0, 255)  # levels are not stretched
    starts = {text.get_text(): text.get_position()[0] for text in axes.texts}
    size = 6 // max(len(groups), 1)
    assert [starts[group] for group in groups] == [left[size * n] for n in range(len(groups))]


def test_pixels_are_the_images(tmp_path: Path) -> None:
    png, _ = sheet(rows(), "title", tmp_path / "sheet")
    pixels = np.asarray(Image.open(png).convert("L"))
    for level in (12 * x + 60 * y for x in range(4) for y in range(3)):
        assert (abs(pixels.astype(int) - level) <= 1).sum() >= 142**2  # 0.72 inches at 200 dots an inch


@pytest.mark.parametrize("size", [8, 32, 224])
def test_colours_stay_colours(size: int, tmp_path: Path) -> None:
    red = np.zeros((size, size, 3), np.uint8)
    red[..., 0] = 200
    png, _ = sheet([Row("red", [red, red], ["a", "b"])], "title", tmp_path / "sheet")
    pixels = np.asarray(Image.open(png).convert("RGB")).reshape(-1, 3)
    assert (pixels == (200, 0, 0)).all(1).sum() > 2 * 140**2


LONG = (
    "Digits, convnet, 20 epochs\n719 of 1438 training images, the hardest over all classes by EL2N after 2 of 20 "
    "epochs, mean of 3 networks"
)


@pytest.mark.parametrize("count", [1, 4, 10])
@pytest.mark.parametrize("label", ["0", "aquarium_fish", "a class of a very long name"])
def test_every_word_stays_inside_and_titles_above_the_images(
    label: str, count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [Row(label, row.images, row.words) for row in rows(count)]
    figure = figure_of(monkeypatch, lines, LONG, tmp_path / "sheet", ("easiest", "hardest") if count > 1 else ())
    axes, box = figure.axes[0], figure.bbox
    for text in axes.texts:
        place = text.get_window_extent()
        assert place.x0 >= 0, text.get_text()
        assert place.x1 <= box.x1, text.get_text()
        assert place.y0 >= 0, text.get_text()
        assert place.y1 <= box.y1, text.get_text()
    first = axes.images[0].get_window_extent()
    title = axes.texts[0].get_window_extent()
    assert title.y0 >= first.y1
    (own, *_) = [text for text in axes.texts if text.get_text() == label]
    assert own.get_window_extent().x1 <= first.x0


def test_marked_images_have_a_frame_and_bold_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, line = rows(4, 1)[0], rows(4, 1)[0]
    marked = Row(line.label, line.images, line.words, [False, True, False, True])
    axes = figure_of(monkeypatch, [plain, marked], "title", tmp_path / "sheet").axes[0]
    extents = [image.get_extent() for image in axes.images[4:]]
    frames = [(patch.get_x(), patch.get_y()) for patch in axes.patches]
    assert frames == [(extents[place][0], extents[place][3]) for place in (1, 3)]
    weights = [text.get_fontweight() for text in axes.texts if "," in text.get_text()]
    assert weights == ["normal"] * 5 + ["bold", "normal", "bold"]


def test_long_words_are_broken_and_the_next_row_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rows(2, 1)[0]
    long = Row("long", one.images, ["single frequency greyscale", "aquarium_fish → aquarium_fish"])
    axes = figure_of(monkeypatch, [long, one], "title", tmp_path / "sheet").axes[0]
    words = [text for text in axes.texts if "\n" in text.get_text()]
    assert [word.get_text() for word in words] == ["single frequency\ngreyscale", "aquarium_fish →\naquarium_fish"]
    below = axes.images[2].get_window_extent().y1
    assert all(word.get_window_extent().y0 >= below for word in words)
    assert words[0].get_window_extent().x1 < words[1].get_window_extent().x0


def test_shorter_rows_leave_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = [rows(4)[0], Row("one", rows(1)[0].images, ["x"]), Row("none", [], [])]
    axes = figure_of(monkeypatch, short, "title", tmp_path / "sheet").axes[0]
    assert len(axes.images) == 5
    assert "none" in [text.get_text() for text in axes.texts]
