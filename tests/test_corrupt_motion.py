"""Motion blur equals the sum at every pixel, but for values within a thousandth of a whole level."""

import numpy as np
import pytest
import torch

from gossamer.corrupt import corrupt
from gossamer.corrupt.families import constants
from gossamer.corrupt.motion import MOTION_BLUR, draw_angles, half_gaussian, offsets, smear
from gossamer.corrupt.streams import Streams
from tests.reference import corrupt_motion as reference

CASES = [("cifar-c", 1), ("cifar-c", 5), ("tinyimagenet-c", 5), ("imagenet-c", 5), ("imagenet-c", 6)]


@pytest.mark.parametrize(("family", "severity"), CASES)
def test_equals_its_twin(family, severity):
    images = torch.randint(0, 256, (4, 3, 20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    index = [2, 0, 7, 3]
    angles = np.radians(Streams(1, "motion_blur", severity, index).uniform(1)[:, 0].numpy() * 90 - 45)
    result = corrupt(images, "motion_blur", severity, family=family, seed=1, index=index).numpy()
    for image, angle, own in zip(images.numpy(), angles, result, strict=True):
        twin = reference.motion_blur(image, *constants(MOTION_BLUR, family, severity), angle)
        assert (own <= twin + 1e-3).all()
        assert (own > twin - 1 - 1e-3).all()


@pytest.mark.parametrize("angle", [-180.0, -135.0, -90.0, -20.0, 0.0, 45.0, 90.0, 130.0])
def test_every_direction(angle):
    image = torch.randint(0, 256, (1, 1, 9, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    own = smear(image, 4, 2.0, np.radians([angle])).numpy()
    twin = reference.motion_blur(image[0].numpy(), 4, 2.0, np.radians(angle))
    assert (abs(own - twin + 0.5) <= 0.5 + 1e-3).all()


def test_a_dot_smears_to_the_left_where_the_line_looks_right():
    dot = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    dot[..., 2, 3] = 255
    row = smear(dot, 1, 1.0, np.zeros(1))[0, 0, 2]
    assert row.tolist() == [0, 19, 88, 146, 0]  # 255 · (0.077, 0.348, 0.574), truncated


def test_weights_are_whole_and_sum_to_one():
    for radius, sigma in ((6, 1.0), (9, 2.5), (27, 18.75)):
        weights = half_gaussian(radius, sigma)
        assert sum(weights) == 2**22
        exact = np.exp(-(np.arange(len(weights)) ** 2) / (2 * sigma**2))
        total = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2)).sum()
        np.testing.assert_allclose(np.array(weights) / 2**22, exact / total, atol=1e-5)
        assert len(weights) <= 2 * radius + 1


def test_steps_are_whole_pixels_along_the_line():
    rows, columns = offsets(np.radians([0.0, -90.0, 45.0]), 4)
    assert rows.T.tolist() == [[0, 0, 0, 0], [0, -1, -2, -3], [0, 1, 1, 2]]
    assert columns.T.tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 1, 2]]


@pytest.mark.parametrize("least", [-45, -135])
def test_angles_are_uniform_over_a_quarter_turn(least):
    angles = np.degrees(draw_angles(Streams(0, "snow", 1, range(2000)), least))
    assert angles.min() >= least
    assert angles.max() < least + 90
    assert np.histogram(angles, 9, (least, least + 90))[0] == pytest.approx([222] * 9, abs=60)  # 4 standard deviations
