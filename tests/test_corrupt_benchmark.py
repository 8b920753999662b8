"""The benchmark of corruptions gives rows of the right form, with or without the other package; no time is judged."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import corrupt as benchmark

ROOT = Path(__file__).parents[1]


def test_every_kind_has_a_row_and_both_see_the_same_images():
    seen = []

    def peer(image, *, corruption_name, severity):
        seen.append((corruption_name, severity, image.sum()))
        return image

    work = benchmark.Work(images=3, size=32, kinds=("contrast", "pixelate"))
    rows = benchmark.measure(work, peer)
    assert [row.what for row in rows] == ["contrast", "pixelate", "2 kinds x 5 severities"]
    assert rows[2].ours == pytest.approx(rows[0].ours + rows[1].ours)
    assert rows[2].peer == pytest.approx(rows[0].peer + rows[1].peer)
    assert rows[2].target == 12
    images = benchmark.pictures(3, 32)
    sums = [int(image.sum()) for image in images]
    assert [one for one in seen if one[0] == "contrast" and one[1] == 5] == [
        ("contrast", 5, total)
        for total in [sums[0], *sums]  # one to warm up
    ]


def test_without_the_other_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)  # as where it, or what it depends on, is missing
    with pytest.raises(SystemExit, match="pip install imagecorruptions-imaug, with all it depends on"):
        benchmark.find_peer()


def test_the_other_package_is_found_where_it_is(monkeypatch):
    class Other:
        @staticmethod
        def corrupt(image, **rest):
            return image

    monkeypatch.setitem(sys.modules, "imagecorruptions", Other)
    assert benchmark.find_peer()(1) == 1


def test_pictures_are_as_many_as_asked():
    images = benchmark.pictures(205, 32)
    assert images.shape == (205, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert torch.equal(images[200:], images[:5])
    assert np.ptp(images.numpy()) > 200


def test_peak_memory_is_that_of_a_fresh_process():
    (line,) = benchmark.peaks([3], 32)
    assert "3 images" in line
    most = float(line.split("peak")[1].replace("MiB", "").replace(",", ""))
    assert 50 < most < 4000
    assert benchmark.most_held() > 50 * benchmark.MEBI


def test_the_program_stands_alone():
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.corrupt", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--images" in told.stdout
    assert "--memory" in told.stdout
