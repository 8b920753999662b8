"""Frosted glass equals the loop over pixels, with the same offsets."""

import numpy as np
import pytest
import torch

from gossamer.corrupt import corrupt
from gossamer.corrupt.families import constants
from gossamer.corrupt.glass import GLASS_BLUR, origins, partners
from gossamer.corrupt.streams import Streams
from tests.reference import corrupt_glass as reference

CASES = [("cifar-c", 1), ("cifar-c", 5), ("tinyimagenet-c", 5), ("imagenet-c", 3), ("imagenet-c", 5), ("imagenet-c", 6)]


def decoded(bits, reach):
    """Offsets of columns and rows from 31 random bits: 16 for the column, 15 for the row."""
    return (bits % 2**16) * 2 * reach // 2**16 - reach, (bits // 2**16) * 2 * reach // 2**15 - reach


@pytest.mark.parametrize(("family", "severity"), CASES)
def test_equals_its_twin(family, severity):
    images = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    sigma, reach, passes = constants(GLASS_BLUR, family, severity)
    drawn = Streams(4, "glass_blur", severity, [3, 8]).bits(passes, 24 - 2 * reach, 24 - 2 * reach)
    result = corrupt(images, "glass_blur", severity, family=family, seed=4, index=[3, 8]).numpy()
    for image, bits, own in zip(images.numpy(), drawn.long().numpy(), result, strict=True):
        twin = reference.glass_blur(image, sigma, reach, [decoded(one, reach) for one in bits])
        np.testing.assert_array_equal(own, twin)


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_the_map_of_a_pass_equals_the_loop(reach):
    drawn = torch.randint(0, 2**31 - 1, (5, 20 - 2 * reach, 20 - 2 * reach), dtype=torch.int32)
    ours = origins(partners(drawn, 20, reach)).view(5, 20, 20)
    for bits, own in zip(drawn.long().numpy(), ours.numpy(), strict=True):
        columns, rows = decoded(bits, reach)
        assert columns.min() == rows.min() == -reach
        assert columns.max() == rows.max() == reach - 1
        numbered = np.arange(400).reshape(1, 20, 20)
        np.testing.assert_array_equal(own, reference.copy_pixels(numbered, columns, rows, reach)[0])


def test_pixels_are_copied_not_swapped():
    """A pixel is lost unless one of the 4, 2 or 1 that may copy it does; a true swap would keep all 1024."""
    drawn = torch.randint(0, 2**31 - 1, (300, 30, 30), dtype=torch.int32, generator=torch.Generator().manual_seed(0))
    left = np.mean([len(one.unique()) for one in origins(partners(drawn, 32, 1))])
    border = 1024 - 900  # never copies from others
    expected = border + 29 * 29 * (1 - 0.75**4) + 2 * 29 * (1 - 0.75**2) + (1 - 0.75)
    assert left == pytest.approx(expected, abs=2)  # 724.8


def test_the_first_rows_and_columns_stay():
    drawn = torch.randint(0, 2**31 - 1, (3, 28, 28), dtype=torch.int32)
    own = torch.arange(1024).view(32, 32)
    moved = origins(partners(drawn, 32, 2)).view(3, 32, 32)
    assert (moved[:, :3] == own[:3]).all()
    assert (moved[:, :, :3] == own[:, :3]).all()
    assert (moved[:, 31:] == own[31:]).all()
