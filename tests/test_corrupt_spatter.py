"""Spatter and what it needs of OpenCV, against slow twins."""

import numpy as np
import pytest
import torch

from gossamer.corrupt import CORRUPTIONS, corrupt
from gossamer.corrupt.contours import box, canny, distance, equalize
from gossamer.corrupt.spatter import spatter
from tests.corruptions import pictures, streams_of
from tests.reference import corrupt_spatter as reference

CONSTANTS = [
    (family, severity, row)
    for family, rows in CORRUPTIONS["spatter"].constants.items()
    for severity, row in enumerate(rows, 1)
]


def blots(count=4, size=20, seed=0):
    """Whole numbers, most of them 0, as drops are; and smooth ones."""
    stream = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, size // 3, size // 3, generator=stream)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[:, 0]
    cut = torch.where(smooth < 0.6, 0.0, smooth)
    return (torch.cat([smooth, cut]).clamp(0, 1) * 255).floor()


@pytest.mark.parametrize(("low", "high"), [(50, 150), (20, 400), (0, 100)])
def test_edges_are_cannys(low, high):
    pictures = blots()
    ours = canny(pictures, low, high)
    assert 0.02 < ours.float().mean() < 0.9
    for picture, own in zip(pictures.numpy(), ours.numpy(), strict=True):
        assert np.array_equal(own, reference.canny(picture, low, high))


def test_a_weak_edge_is_kept_where_it_hangs_on_a_strong_one():
    picture = torch.zeros(1, 12, 8)
    picture[:, :, 4:] = 30  # a gradient of 120
    picture[:, :3, 4:] = 60  # of 240
    weak = canny(picture, 50, 150)[0, :, 3:5].any(dim=1)
    assert weak.all()
    assert not canny(picture[:, 4:], 50, 150).any()


def test_distances_are_those_of_the_shortest_way():
    stream = torch.Generator().manual_seed(1)
    edges = torch.rand(6, 40, 31, generator=stream) < torch.tensor([0.0, 0.0008, 0.002, 0.01, 0.1, 1.0])[:, None, None]
    ours = distance(edges, 20)
    for picture, own in zip(edges.numpy(), ours.numpy(), strict=True):
        assert np.array_equal(own, reference.distance(picture, 20))


def test_histograms_are_equalized():
    stream = torch.Generator().manual_seed(2)
    values = torch.randint(0, 21, (5, 9, 9), generator=stream).float()
    values[1] = 7.0  # one level only: left as it is
    values[2] = values[2].clamp(min=15)
    ours = equalize(values, 21)
    assert (ours[1] == 7).all()
    for picture, own in zip(values.numpy(), ours.numpy(), strict=True):
        assert np.array_equal(own, reference.equalize(picture))


def test_sums_of_nine_mirror_at_the_border():
    picture = torch.arange(12.0).view(1, 3, 4)
    assert np.array_equal(box(picture)[0].numpy(), reference.correlate(picture[0].numpy(), [[1] * 3] * 3))


@pytest.mark.parametrize(("family", "severity", "constants"), CONSTANTS, ids=[f"{a}-{b}" for a, b, _ in CONSTANTS])
def test_spatter_is_that_of_the_description(family, severity, constants):
    images = pictures(2, 32).double() / 255
    noise = streams_of("spatter", severity, 2).normal(32, 32).numpy()
    ours = spatter(images, *constants, streams_of("spatter", severity, 2)).numpy()
    for image, own, drawn in zip(images.numpy(), ours, noise, strict=True):
        assert own == pytest.approx(reference.spatter(image, *constants, drawn), abs=1e-6)


def test_without_a_drop_the_picture_stays():
    images = pictures(2)
    clean = images.double() / 255
    for mud in (0, 1):
        dry = spatter(clean, 0.1, 0.01, 0.7, 0.7, 0.5, mud, streams_of("spatter", 1, 2))
        assert torch.equal(dry, clean)


def test_water_brightens_and_mud_darkens_what_is_white():
    images = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    assert (corrupt(images, "spatter", 2) >= images).all()
    mud = corrupt(images, "spatter", 5)
    assert (mud <= images).all()
    assert {tuple(colour) for colour in mud.permute(0, 2, 3, 1).reshape(-1, 3).tolist()} >= {(128, 128, 128)}
