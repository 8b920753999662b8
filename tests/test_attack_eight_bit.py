"""Levels that an image file can hold and that are still within eps."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.attack import PGD, to_eight_bit
from gossamer.core.errors import DataError, SettingError
from tests.attacked import data, network


def change_in_levels(levels, images):
    return levels.double() - (images.double() * 255).round()


def far(change, norm):
    return float(change.abs().max() if norm == "linf" else change.flatten(1).norm(dim=1).max())


@settings(deadline=None, max_examples=80)
@given(
    eps=st.one_of(st.floats(0, 0.99), st.sampled_from([0.0, 8 / 255, 0.031, 1 / 255, 0.5 / 255, 3 / 255])),
    norm=st.sampled_from(["linf", "l2"]),
    whole=st.booleans(),
    seed=st.integers(0, 50),
)
def test_never_outside_of_the_ball(eps, norm, whole, seed):
    images, labels = data(seed, n=3)
    images = (images * 255).round() / 255 if whole else images
    adversarial = PGD(eps=eps, norm=norm, steps=3)(network(), images, labels)
    levels = to_eight_bit(adversarial, images, eps, norm)
    assert levels.dtype == torch.uint8
    assert far(change_in_levels(levels, images), norm) <= eps * 255 * (1 + 1e-6)
    assert far(levels.double() - adversarial.double() * 255, "linf") < (1 + 1e-4 if whole else 1.51)


@pytest.mark.parametrize("levels", range(1, 17))
def test_a_whole_radius_in_levels_loses_none_of_them(levels):
    """9.999 is not 9: the full change survives, in both directions and at every grey level."""
    clean = torch.arange(256, dtype=torch.float32).view(1, 1, 16, 16) / 255
    for sign in (-1, 1):
        moved = (clean + sign * (levels / 255)).clamp(0, 1)
        expected = (torch.arange(256) + sign * levels).clamp(0, 255)
        assert to_eight_bit(moved, clean, levels / 255).flatten().tolist() == expected.tolist()


def test_rounding_would_leave_the_ball():
    clean = torch.full((1, 1, 1, 1), 100 / 255)
    assert to_eight_bit(clean + 0.031, clean, 0.031).item() == 107  # 7.905 levels


def test_l2_rounds_towards_the_clean_image_where_rounding_leaves_the_ball():
    clean = torch.full((1, 1, 1, 4), 100 / 255)
    change = torch.tensor([1.6, 1.6, 1.6, -0.6]).view(1, 1, 1, 4) / 255
    eps = float(change.norm())  # 2.835 levels; the nearest levels are 2, 2, 2, -1 and √13 = 3.6 away
    assert to_eight_bit(clean + change, clean, eps, "l2").flatten().tolist() == [101, 101, 101, 100]
    assert to_eight_bit(clean + change, clean, 4 / 255, "l2").flatten().tolist() == [102, 102, 102, 99]


@pytest.mark.parametrize(("norm", "eps"), [("linf", 5 / 255), ("l2", math.sqrt(7) / 255)])
def test_levels_again_are_the_same_levels(norm, eps):
    images = (data()[0] * 255).round() / 255
    adversarial = PGD(eps=eps, norm=norm)(network(), images, data()[1])
    levels = to_eight_bit(adversarial, images, eps, norm)
    assert torch.equal(to_eight_bit(levels.float() / 255, images, eps, norm), levels)


def test_a_clean_image_stays():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    images = levels.float() / 255
    for norm in ("linf", "l2"):
        for eps in (0.0, 0.1):
            assert torch.equal(to_eight_bit(images, images, eps, norm), levels)


def test_what_is_refused():
    images = data()[0]
    with pytest.raises(SettingError, match="pass eps=8/255"):
        to_eight_bit(images, images, 8)
    with pytest.raises(DataError, match="divide them by 255"):
        to_eight_bit(images * 255, images, 0.1)
