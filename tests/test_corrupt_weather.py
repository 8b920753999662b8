"""Snow and fog equal their slow twins with the same random numbers, but for values within rounding of a whole level."""

import numpy as np
import pytest
import torch

from gossamer.corrupt import corrupt
from gossamer.corrupt.families import constants
from gossamer.corrupt.plasma import plasma, side_of
from gossamer.corrupt.streams import Streams
from gossamer.corrupt.weather import FOG, SNOW
from tests.reference import corrupt_weather as reference

CASES = [("cifar-c", 1), ("cifar-c", 3), ("cifar-c", 5), ("tinyimagenet-c", 4), ("imagenet-c", 2), ("imagenet-c", 6)]


def pictures(channels=3):
    return torch.randint(0, 256, (2, channels, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def agree(own, twin, rare):
    """Never more than a level apart, and that seldom: where truncation meets rounding."""
    difference = abs(own.astype(int) - twin.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= rare


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("family", "severity"), CASES)
def test_snow_equals_its_twin(family, severity, channels):
    images, index = pictures(channels), [4, 1]
    values = constants(SNOW, family, severity)
    kept = int(np.ceil(20 / values[2]))
    streams = Streams(2, "snow", severity, index)
    angles = np.radians(streams.uniform(1)[:, 0].numpy() * 90 - 135)
    noise = np.full((2, 20, 20), np.nan)  # the zoom must not look beyond its middle
    first = (20 - kept) // 2
    noise[:, first : first + kept, first : first + kept] = streams.normal(1, kept, kept)[:, 0]
    result = corrupt(images, "snow", severity, family=family, seed=2, index=index).numpy()
    for image, own_noise, angle, own in zip(images.numpy(), noise, angles, result, strict=True):
        agree(own, reference.snow(image, *values, own_noise, angle), rare=5e-3)


@pytest.mark.parametrize(("family", "severity"), CASES)
def test_fog_equals_its_twin(family, severity):
    images, index = pictures(), [4, 1]
    noise = Streams(2, "fog", severity, index).uniform(1023).numpy()
    result = corrupt(images, "fog", severity, family=family, seed=2, index=index).numpy()
    for image, own_noise, own in zip(images.numpy(), noise, result, strict=True):
        agree(own, reference.fog(image, *constants(FOG, family, severity), own_noise), rare=2e-3)


@pytest.mark.parametrize("side", [2, 4, 32])
@pytest.mark.parametrize("decay", [1.4, 3.0])
def test_plasma_equals_its_twin(side, decay):
    noise = torch.rand(3, side * side - 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for own, numbers in zip(plasma(noise, decay), noise, strict=True):
        np.testing.assert_allclose(own, reference.plasma(numbers.tolist(), decay), atol=1e-12)


def test_the_published_sides_of_plasma():
    assert [side_of(size) for size in (1, 2, 28, 32, 64, 224, 256, 257)] == [2, 2, 32, 32, 64, 256, 256, 512]


def test_fog_never_exceeds_the_brightest_value_and_keeps_black_black():
    dim = pictures() // 2
    foggy = corrupt(dim, "fog", 5, family="cifar-c")
    assert (foggy.amax((1, 2, 3)) <= dim.amax((1, 2, 3))).all()
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert torch.equal(corrupt(black, "fog", 5), black)


def test_snow_whitens_and_its_flakes_are_their_own_turn():
    white = corrupt(torch.zeros(1, 1, 32, 32, dtype=torch.uint8), "snow", 5).int()
    base = int(0.2 * 127.5)  # a fifth of ½
    assert white.min() >= base
    assert torch.equal(white, white.flip(2, 3))
    assert (white > base + 20).any()
