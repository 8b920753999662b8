import math

import pytest
import torch

from gossamer.bench.data import DATASETS, PRESETS, Augment, Crop, Flip, Rotate
from gossamer.core.errors import DataError, SettingError
from tests.reference import augment as reference


def images(seed, batch=6, channels=2, height=5, width=7):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(seed))


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_crop_agrees_with_the_pixel_by_pixel_twin(seed, padding):
    batch = images(seed)
    top, left = torch.randint(2 * padding + 1, (2, len(batch)), generator=generator(seed)).tolist()
    expected = [reference.crop(image.tolist(), padding, top[i], left[i]) for i, image in enumerate(batch)]
    assert torch.equal(Crop(padding)(batch, generator(seed)), torch.tensor(expected))


@pytest.mark.parametrize("seed", range(10))
def test_flip_agrees_with_the_pixel_by_pixel_twin(seed):
    batch = images(seed)
    flipped = (torch.rand(len(batch), generator=generator(seed)) < 0.5).tolist()
    expected = [reference.flip(i.tolist()) if flipped[n] else i.tolist() for n, i in enumerate(batch)]
    assert torch.equal(Flip()(batch, generator(seed)), torch.tensor(expected))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("degrees", [15.0, 180.0])
def test_rotate_agrees_with_the_pixel_by_pixel_twin_on_oblong_images(seed, degrees):
    batch = images(seed)
    angles = ((2 * torch.rand(len(batch), generator=generator(seed)) - 1) * degrees).tolist()
    expected = [reference.rotate(image.tolist(), angles[i]) for i, image in enumerate(batch)]
    torch.testing.assert_close(Rotate(degrees)(batch, generator(seed)), torch.tensor(expected), atol=2e-5, rtol=0)


def test_rotating_by_hand_a_quarter_turn_counter_clockwise():
    assert reference.rotate([[[1.0, 2.0], [3.0, 4.0]]], 90)[0] == [
        pytest.approx([2.0, 4.0]),
        pytest.approx([1.0, 3.0]),
    ]


def test_rotation_fills_with_zeros_from_outside():
    turned = Rotate(45)(torch.ones(64, 1, 9, 9), generator(0))
    assert turned[:, :, 4, 4].eq(1).all()
    assert turned[:, :, 0, 0].min() == 0


def test_each_image_has_a_draw_of_its_own():
    same = images(0, batch=1).expand(64, -1, -1, -1)
    for step, least in ((Crop(2), 12), (Flip(), 2), (Rotate(15), 60)):
        assert len(torch.unique(step(same, generator(0)), dim=0)) >= least


def test_flip_mirrors_about_half_of_the_images():
    marked = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2).expand(10_000, -1, -1, -1)
    share = Flip()(marked, generator(0))[:, 0, 0, 1].mean()
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 10_000)


def test_all_positions_of_a_crop_occur_equally_often():
    dot = torch.zeros(9000, 1, 3, 3)
    dot[:, :, 1, 1] = 1
    counts = Crop(1)(dot, generator(0)).sum(0).flatten()
    assert counts.sum() == 9000
    assert (counts - 1000).abs().max() < 4 * math.sqrt(1000)


def test_the_global_random_state_is_neither_read_nor_moved():
    everything = Augment((Crop(), Flip(), Rotate()))
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first = everything(images(0), generator(3))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(1)
    assert torch.equal(first, everything(images(0), generator(3)))


def test_steps_run_in_their_order_on_one_generator():
    stream = generator(5)
    expected = Flip()(Crop(2)(images(0), stream), stream)
    assert torch.equal(Augment((Crop(2), Flip()))(images(0), generator(5)), expected)


def test_the_input_is_left_alone():
    batch = images(0)
    kept = batch.clone()
    Augment((Crop(), Flip(), Rotate()))(batch, generator(0))
    assert torch.equal(batch, kept)


def test_no_step_passes_the_images_unchanged_and_draws_nothing():
    stream = generator(0)
    assert torch.equal(Augment()(images(0), stream), images(0))
    assert torch.equal(stream.get_state(), generator(0).get_state())


def test_every_data_set_has_a_preset_and_grey_ones_are_not_mirrored():
    assert set(DATASETS) <= set(PRESETS)
    assert PRESETS["mnist"] == PRESETS["fashion-mnist"] == PRESETS["digits"] == Augment()
    assert PRESETS["cifar10"] == PRESETS["cifar100"] == PRESETS["cifar10-jpeg"] == Augment((Crop(4), Flip()))
    assert PRESETS["cifar100-adversarial"] == Augment((Crop(4), Flip(), Rotate(15)))


def test_a_negative_padding_is_refused():
    with pytest.raises(SettingError, match=r"expected a padding of 0 or more pixels, got -1"):
        Crop(-1)


@pytest.mark.parametrize("degrees", [-1.0, 181.0, float("nan")])
def test_an_angle_outside_its_range_is_refused(degrees):
    with pytest.raises(SettingError, match=r"expected degrees in \[0, 180\], got"):
        Rotate(degrees)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4)])
def test_anything_but_a_float_batch_is_refused(wrong):
    with pytest.raises(DataError, match=r"expected float images \(B, C, H, W\).*convert 8-bit images by"):
        Augment((Flip(),))(wrong, generator(0))
