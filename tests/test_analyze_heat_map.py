"""Fourier heat maps against one image and one frequency at a time."""

import json
import math

import pytest
import torch
from torch import nn

from gossamer.analyze.frequency.basis import half_plane
from gossamer.analyze.frequency.heat_map import fourier_heat_map
from gossamer.core.errors import DataError, SettingError
from gossamer.core.interval import wilson_interval
from tests.pictures import left_as_found, loader, network, pictures
from tests.reference.heat_map import wrong_images


def own_labels(model, images):
    return model.eval()(images).argmax(1)


def drawn(count, height, width, channels, seed):
    """The signs that a seed stands for: image by image, frequency by frequency, channel by channel."""
    wanted, _ = half_plane(height, width)
    stream = torch.Generator().manual_seed(seed)
    draws = torch.randint(2, (count, len(wanted), channels), generator=stream, dtype=torch.int8)
    return {frequency: (2 * draws[:, index] - 1).double() for index, frequency in enumerate(wanted)}


@pytest.mark.parametrize("size", [(4, 4), (5, 5), (4, 5), (5, 2)])
def test_the_map_is_that_of_one_image_and_frequency_at_a_time(size):
    model = network().double().eval()
    images, _ = pictures(12, height=size[0], width=size[1])
    images = images.double()
    labels = own_labels(model, images)
    found = fourier_heat_map(model, (images, labels), eps=1.5, seed=3, batch_size=5)
    expected = wrong_images(model, images, labels, 1.5, drawn(12, *size, 2, 3))
    assert (found.error * 12).round().long().tolist() == expected
    assert found.error.shape == size
    assert found.clean_error == 0
    assert found.count == 12
    assert len(found.error.unique()) > 1


def test_mirror_images_have_the_same_error():
    images, _ = pictures(30, height=6, width=5)
    error = fourier_heat_map(network(), (images, own_labels(network(), images)), eps=2.0).error
    for i in range(6):
        for j in range(5):
            assert error[i, j] == error[-i % 6, 4 - j]


def test_each_pair_is_evaluated_once():
    model, seen = network(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    fourier_heat_map(model, pictures(10, height=6, width=6))
    assert sum(seen) == 10 * (1 + (36 - 4) // 2 + 4)  # clean ones, pairs, and four that are their own mirror image


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64, 1000])
def test_batches_change_nothing(batch_size):
    expected = fourier_heat_map(network(), pictures(), eps=2.0)
    for data in (pictures(), loader(), list(loader(size=5))):
        found = fourier_heat_map(network(), data, eps=2.0, batch_size=batch_size)
        assert torch.equal(found.error, expected.error)
        assert found.clean_error == expected.clean_error


def test_the_seed_decides():
    def of(seed):
        return fourier_heat_map(network(), pictures(60), eps=2.0, seed=seed).error

    assert torch.equal(of(0), of(0))
    assert not torch.equal(of(0), of(1))


def test_the_noise_of_each_channel_has_length_eps_where_nothing_is_clipped():
    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.images = []

        def forward(self, images):
            self.images.append(images)
            return images.flatten(1)[:, :3]

    model, grey = Seen(), torch.full((2, 3, 8, 8), 0.5)
    fourier_heat_map(model, (grey, torch.zeros(2).long()), eps=0.5)
    lengths = (torch.cat(model.images[1:]) - 0.5).flatten(2).norm(dim=2)
    assert torch.allclose(lengths, torch.full_like(lengths, 0.5), atol=1e-5)
    fourier_heat_map(model, (grey, torch.zeros(2).long()), eps=50.0)
    assert float(torch.cat(model.images).min()) == 0
    assert float(torch.cat(model.images).max()) == 1


def test_only_the_frequency_that_a_model_looks_at_harms_it():
    """A model that answers by the checkerboard in its image alone, so by frequency (-H/2, -W/2)."""
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4, 4)

    class Looks(nn.Module):
        def forward(self, images):
            found = (images * checkerboard).sum((1, 2, 3)).abs() > 0.5
            return torch.stack([~found, found], 1).float()

    data = torch.full((20, 1, 8, 8), 0.5), torch.zeros(20).long()
    error = fourier_heat_map(Looks(), data, eps=1.0).error
    expected = torch.zeros(8, 8).double()
    expected[0, 0] = 1
    assert torch.equal(error, expected)


def test_a_smaller_map_is_the_middle_of_the_whole_one_where_signs_do_not_matter():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 3))

    class Even(nn.Module):  # the same answer for x and 1 - x, so that signs do not matter on grey images
        def forward(self, images):
            return model(images) + model(1 - images)

    images = torch.full((3, 1, 8, 8), 0.5)
    labels = torch.arange(3)
    whole = fourier_heat_map(Even(), (images, labels), eps=3.0)
    inner = fourier_heat_map(Even(), (images, labels), eps=3.0, size=3)
    assert torch.equal(inner.error, whole.error[3:6, 3:6])


@pytest.mark.parametrize(("asked", "expected"), [(5, [0, 2, 5, 7, 10]), (1, [0]), (13, range(13)), (99, range(13))])
def test_images_are_taken_evenly(asked, expected):
    images, labels = pictures(13)
    some = fourier_heat_map(network(), (images, labels), images=asked, batch_size=4)
    chosen = torch.tensor(list(expected))
    same = fourier_heat_map(network(), (images[chosen], labels[chosen]), images=None)
    assert torch.equal(some.error, same.error)
    assert some.count == len(chosen)


def test_rows_and_rings():
    found = fourier_heat_map(network(), pictures(), size=3)
    rows = found.rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [(row["vertical"], row["horizontal"]) for row in rows] == [(u, v) for u in (-1, 0, 1) for v in (-1, 0, 1)]
    assert [row["error"] for row in rows] == found.error.flatten().tolist()
    assert (rows[4]["interval_low"], rows[4]["interval_high"]) == wilson_interval(rows[4]["error"], 13)
    ring = (found.error.sum() - found.error[1, 1]) / 8
    assert torch.allclose(found.profile(), torch.stack([found.error[1, 1], ring]))


def test_the_model_is_left_as_found():
    model = network()
    model[1].eval()
    with left_as_found(model):
        fourier_heat_map(model, loader(), size=1)


def test_a_loader_that_shuffles_is_found_out():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with pytest.raises(DataError, match="build it with shuffle=False"):
            fourier_heat_map(network(), loader(shuffle=True), size=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"eps": 0}, "expected eps > 0, the l2 norm of the noise in a channel, got 0"),
        ({"eps": math.nan}, "expected eps > 0"),
        ({"images": 0}, "expected 1 image or more, got images=0"),
        ({"images": 2.5}, "expected 1 image or more"),
        ({"size": 9}, "expected a size of the map from 1 to 8"),
        ({"seed": -1}, "expected a whole number of 0 or more as seed"),
        ({"batch_size": 0}, "batch_size ≥ 1"),
    ],
)
def test_settings_outside_of_their_ranges(settings, words):
    with pytest.raises(SettingError, match=words):
        fourier_heat_map(network(), pictures(), **settings)


def test_normalised_images_are_refused():
    images, labels = pictures()
    with pytest.raises(DataError, match="look normalised"):
        fourier_heat_map(network(), (images * 4 - 2, labels))
