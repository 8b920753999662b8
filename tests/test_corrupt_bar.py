"""ImageNet-C-bar: each kind against a twin that goes pixel by pixel, fed with the same drawn numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.errors import DataError
from gossamer.corrupt import corrupt
from gossamer.corrupt.bar import BAR
from gossamer.corrupt.families import constants
from gossamer.corrupt.streams import Streams
from gossamer.corrupt.table import CORRUPTIONS, STANDARD
from tests.reference import corrupt_bar as twin

# the same calls in the same order as the kind's own, so that the twin sees its numbers
DRAWS = {
    "blue_noise_sample": lambda s, c, n: [s.uniform(n * n // 2)],
    "brownish_noise": lambda s, c, n: [s.uniform(c, n * n // 2)],
    "caustic_refraction": lambda s, c, n: [s.uniform(2)],
    "checkerboard_cutout": lambda s, c, n: [s.uniform(2), s.uniform(29, 29)],
    "cocentric_sine_waves": lambda s, c, n: [s.uniform(5)],
    "inverse_sparkles": lambda s, c, n: [s.uniform(2), s.integers(50, 200, 1)[:, 0], s.normal(199)],
    "perlin_noise": lambda s, c, n: [s.uniform(256), s.uniform(256, 2)],
    "plasma_noise": lambda s, c, n: [s.uniform(3), s.integers(4, 7)],
    "single_frequency_greyscale": lambda s, c, n: [s.uniform(4)],
    "sparkles": lambda s, c, n: [s.uniform(5, 2), s.integers(50, 200, 5), s.normal(5, 199)],
}
PUBLISHED = """
caustic_refraction 2.35 3.2 4.9 6.6 9.15
inverse_sparkles 1 2 4 9 10
sparkles 1 2 3 5 6
perlin_noise 4.6 5.2 5.8 7.6 8.8
blue_noise_sample .8 1.6 2.4 4 5.6
plasma_noise 4.75 7 8.5 9.25 10
checkerboard_cutout 2 3 4 5 6
cocentric_sine_waves 3 5 8 9 10
single_frequency_greyscale 1 1.5 2 4.5 5
brownish_noise 1 2 3 4 5
"""


def photos(count: int, channels: int, size: int) -> torch.Tensor:
    """Smooth colours with an edge, from a fixed seed."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, channels, 5, 5, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    smooth[:, :, size // 2 :] *= 0.3
    return (smooth * 255).round() / 255


def by_twin(name: str, images: torch.Tensor, level: float, streams: Streams) -> np.ndarray:
    channels, size = images.shape[1:3]
    drawn = [numbers.numpy() for numbers in DRAWS[name](streams, channels, size)]
    results = []
    for number, image in enumerate(images):
        levels = image.permute(1, 2, 0).numpy() * 255
        results.append(getattr(twin, name)(levels, level, *(numbers[number] for numbers in drawn)))
    return np.stack(results).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("family", ["cifar-c", "imagenet-c"])
@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", BAR)
def test_equals_its_twin(name, severity, family):
    size = {"cifar-c": 32, "imagenet-c": 40}[family]
    images = photos(2, 3, size)
    (level,) = constants(BAR[name], family, severity)
    own = BAR[name].apply(images, level, Streams(1, name, severity, [4, 9])) * 255
    expected = by_twin(name, images, level, Streams(1, name, severity, [4, 9]))
    assert np.abs(own.numpy() - expected).max() < 1e-6
    assert np.abs(expected - images.numpy() * 255).max() > 3


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(BAR)),
    size=st.integers(2, 17),
    channels=st.sampled_from([1, 3]),
    level=st.floats(0, 10),
    index=st.integers(0, 10**9),
)
def test_equals_its_twin_at_any_size_channels_and_level(name, size, channels, level, index):
    images = photos(1, 3 if BAR[name].colour else channels, size)
    own = BAR[name].apply(images, level, Streams(2, name, 1, [index])) * 255
    expected = by_twin(name, images, level, Streams(2, name, 1, [index]))
    assert np.abs(own.numpy().clip(0, 255) - expected.clip(0, 255)).max() < 1e-5


@pytest.mark.parametrize("line", PUBLISHED.split("\n")[1:-1])
def test_the_levels_at_224_pixels_are_the_published_ones(line):
    name, *levels = line.split()
    assert [constants(BAR[name], "imagenet-c", severity)[0] for severity in range(1, 6)] == [float(x) for x in levels]


def test_the_levels_at_32_pixels_are_those_of_cifar_10_c_bar_where_it_has_the_kind():
    levels = {name: [constants(kind, "cifar-c", severity)[0] for severity in (1, 5)] for name, kind in BAR.items()}
    shared = ("blue_noise_sample", "checkerboard_cutout", "inverse_sparkles", "brownish_noise", "sparkles")
    assert [levels[name] for name in shared] == [[0.7, 4.2], [1, 5], [1, 5], [2.5, 7], [0.7, 7]]


def test_the_ten_kinds_are_registered_and_are_not_standard():
    assert len(BAR) == 10
    assert CORRUPTIONS.items() >= BAR.items()
    assert not set(BAR) & set(STANDARD)
    assert {kind.group for kind in BAR.values()} == {"bar"}


@pytest.mark.parametrize("name", BAR)
@pytest.mark.parametrize(("size", "dtype"), [(32, torch.uint8), (64, torch.float32), (224, torch.uint8)])
def test_a_picture_does_not_depend_on_its_batch(name, size, dtype):
    levels = (photos(4, 3, size) * 255).round().byte()
    images = levels if dtype == torch.uint8 else levels.to(dtype) / 255
    together = corrupt(images, name, 4, index=[7, 1, 12, 3])
    assert together.dtype == dtype
    assert together.shape == images.shape
    assert torch.equal(together[2:3], corrupt(images[2:3], name, 4, index=[12]))
    assert torch.equal(together.flip(0), corrupt(images.flip(0), name, 4, index=[3, 12, 1, 7]))
    assert not torch.equal(together, corrupt(images, name, 4, index=[7, 1, 12, 3], seed=1))


@pytest.mark.parametrize("name", sorted(set(BAR) - {"plasma_noise"}))
def test_grey_images_stay_grey(name):
    assert corrupt(torch.full((2, 1, 32, 32), 100, dtype=torch.uint8), name, 5).shape == (2, 1, 32, 32)


def test_plasma_needs_colours():
    with pytest.raises(DataError, match=r"plasma_noise: expected images with 3 channels, got 1"):
        corrupt(torch.zeros(1, 1, 32, 32), "plasma_noise", 1)


@pytest.mark.parametrize("name", BAR)
def test_severity_6_goes_on_within_bounds(name):
    before, last, extrapolated = (constants(BAR[name], "imagenet-c", severity)[0] for severity in (4, 5, 6))
    largest = BAR[name].bounds[0][1]
    assert extrapolated == min(last**2 / before, largest or 100)
    changed = corrupt((photos(2, 3, 32) * 255).byte(), name, 6, family="imagenet-c")
    assert changed.float().std() > 1


def test_checkerboard_cuts_its_share_of_half_the_fields():
    cut = corrupt(torch.zeros(400, 1, 32, 32, dtype=torch.uint8), "checkerboard_cutout", 5)
    assert set(cut.unique().tolist()) == {0, 128}
    assert float((cut == 128).float().mean()) == pytest.approx(0.5 / 2, abs=0.02)


def test_blue_noise_keeps_the_share_of_a_normal_number_above_its_threshold():
    kept = corrupt(torch.full((200, 1, 32, 32), 255, dtype=torch.uint8), "blue_noise_sample", 5)
    assert float((kept == 255).float().mean()) == pytest.approx(0.8907, abs=0.01)  # P(z > 0.3 · 4.2 - 2.5)


def test_brownish_noise_has_its_standard_deviation():
    middle = torch.full((50, 3, 32, 32), 0.5, dtype=torch.float64)
    noise = BAR["brownish_noise"].apply(middle, 2.5, Streams(0, "brownish_noise", 1, range(50))) - middle
    deviations = noise.std((-2, -1), correction=0) * 255
    assert torch.allclose(deviations, torch.full_like(deviations, 16.0), atol=1e-6)


def test_the_published_severities_are_on_a_scale_of_ten():
    assert all(0 < row[0] <= 10 for kind in BAR.values() for table in kind.constants.values() for row in table)
