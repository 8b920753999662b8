"""Training and test sets with one kind an image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.corrupt import CORRUPTIONS, corrupt
from gossamer.corrupt.training import P1_KINDS, corrupt_training, derived

KINDS = ("gaussian_noise", "sparkles", "brownish_noise")


def images(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)


def test_every_image_is_what_its_kind_makes_of_it():
    clean = images(20)
    changed, kinds = corrupt_training(clean, KINDS, 4, seed=3)
    assert set(kinds.tolist()) == {0, 1, 2}
    for number, kind in enumerate(kinds.tolist()):
        own = corrupt(clean[number : number + 1], KINDS[kind], 4, seed=derived(3, "train"), index=[number])
        assert torch.equal(changed[number : number + 1], own)


@settings(max_examples=20, deadline=None)
@given(chosen=st.lists(st.integers(0, 29), min_size=1, max_size=8, unique=True), severity=st.sampled_from([2, 5, 6]))
def test_a_subset_has_the_pictures_of_the_whole(chosen, severity):
    clean = images(30)
    whole, kinds = corrupt_training(clean, KINDS, severity)
    part, own = corrupt_training(clean[chosen], KINDS, severity, index=torch.tensor(chosen))
    assert torch.equal(part, whole[chosen])
    assert torch.equal(own, kinds[chosen])


def test_kinds_are_equally_likely_and_the_same_at_every_severity():
    clean = torch.zeros(3000, 1, 32, 32, dtype=torch.uint8)
    kinds = corrupt_training(clean, ("gaussian_noise", "checkerboard_cutout"), 1)[1]
    assert abs(int(kinds.sum()) - 1500) < 110  # 4 standard deviations
    assert torch.equal(kinds, corrupt_training(clean, ("gaussian_noise", "checkerboard_cutout"), 5)[1])


def test_the_test_set_draws_other_numbers():
    clean = images(40)
    train, test = corrupt_training(clean, KINDS), corrupt_training(clean, KINDS, part="test")
    assert not torch.equal(train[1], test[1])
    same = train[1] == test[1]
    assert (train[0][same] != test[0][same]).flatten(1).any(1).all()
    assert not torch.equal(train[1], corrupt_training(clean, KINDS, seed=1)[1])


def test_one_kind_for_all():
    clean = images(5)
    changed, kinds = corrupt_training(clean, ["sparkles"], 2, mixing="all", part="test")
    assert kinds.tolist() == [0] * 5
    assert torch.equal(changed, corrupt(clean, "sparkles", 2, seed=derived(0, "test")))
    assert torch.equal(changed, corrupt_training(clean, "sparkles", 2, part="test")[0])


def test_the_three_kinds_that_p1_names_are_the_default():
    assert P1_KINDS == ("gaussian_noise", "impulse_noise", "defocus_blur")
    assert set(P1_KINDS) <= set(CORRUPTIONS)
    changed, kinds = corrupt_training(images(12).float() / 255)
    assert (changed.dtype, changed.shape, kinds.shape) == (torch.uint8, (12, 3, 32, 32), (12,))


def test_what_cannot_be_is_refused():
    clean = images(3)
    with pytest.raises(
        SettingError, match=r"expected a severity of 1 to 5 \(6 is extrapolated\), got 0, which changes nothing"
    ):
        corrupt_training(clean, KINDS, 0)
    with pytest.raises(SettingError, match=r"expected a whole number of 0 or more as seed, got -3"):
        corrupt_training(clean, KINDS, seed=-3)
    with pytest.raises(SettingError, match=r"expected one kind with mixing='all', got 3; name the one"):
        corrupt_training(clean, KINDS, mixing="all")
    with pytest.raises(UnknownNameError, match=r"unknown mixing 'each'; .*known: all, per_image"):
        corrupt_training(clean, KINDS, mixing="each")
    with pytest.raises(UnknownNameError, match=r"unknown part of the data 'val'; .*known: test, train"):
        corrupt_training(clean, KINDS, part="val")
    with pytest.raises(UnknownNameError, match=r"unknown corruption 'blur'"):
        corrupt_training(clean, ["blur"])
    with pytest.raises(DataError, match=r"expected 3 indices, one an image, got \(2,\)"):
        corrupt_training(clean, KINDS, index=[0, 1])
