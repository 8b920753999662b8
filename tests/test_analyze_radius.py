"""Radius-accuracy curves against one evaluation per radius and image."""

import json

import pytest
import torch
from torch import nn

from gossamer.analyze.frequency.fourier import attenuate
from gossamer.analyze.frequency.radius import default_radii, radius_accuracy
from gossamer.analyze.images import on_device
from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.core.interval import wilson_interval
from tests.pictures import left_as_found, loader, network, pictures


def one_by_one(model, data, radius, keep, clip):
    model = model.eval()
    changed = [attenuate(image[None], radius, keep, clip=clip) for image in data[0]]
    return sum(int(model(image).argmax()) == int(label) for image, label in zip(changed, data[1], strict=True))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("keep", ["low", "high"])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (6, 5)])
def test_curves_are_those_of_one_image_at_a_time(size, keep, clip):
    images, _ = pictures(40, height=size[0], width=size[1])
    data = images, network().eval()(images).argmax(1)
    radii = [0, 1, 1.5, 2, 3, 4.5, 7]
    found = radius_accuracy(network(), data, keep=keep, radii=radii, clip=clip, batch_size=17)
    assert found.right == tuple(one_by_one(network(), data, radius, keep, clip) for radius in radii)
    assert found.clean == 40
    assert len(set(found.right)) > 1  # otherwise nothing was compared


def test_everything_kept_is_the_clean_accuracy():
    found = radius_accuracy(network(), pictures(40))
    assert found.radii == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert found.accuracy[-1] == found.clean_accuracy


@pytest.mark.parametrize("batch_size", [1, 3, 8, 1000])
def test_batches_change_nothing(batch_size):
    expected = radius_accuracy(network(), pictures())
    assert radius_accuracy(network(), pictures(), batch_size=batch_size) == expected
    assert radius_accuracy(network(), loader(), batch_size=batch_size) == expected
    assert radius_accuracy(network(), list(loader(size=5)), batch_size=batch_size) == expected


@pytest.mark.parametrize("batch_size", [4, 8, 100])
def test_no_more_images_at_once_than_asked_for(batch_size):
    model, seen = network(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    radius_accuracy(model, loader(), batch_size=batch_size)
    assert max(seen) <= batch_size
    assert batch_size == 4 or max(seen) > 4  # small batches of a loader are joined over radii


def test_default_radii_stay_few_and_end_at_the_corner():
    assert default_radii(32, 32) == tuple(float(radius) for radius in range(24))
    assert default_radii(1, 1) == (0.0,)
    for side in (64, 224, 299, 512):
        radii = default_radii(side, side)
        assert len(radii) <= 34
        assert radii[-2] < radii[-1]
        assert radii[-1] >= side // 2 * 2**0.5


def test_rows_are_plain_and_hold_wilson_intervals():
    found = radius_accuracy(network(), pictures(), radii=(0, 2))
    rows = found.rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["radius"] for row in rows] == [0.0, 2.0]
    assert rows[1]["accuracy"] == found.right[1] / 13
    assert (rows[1]["interval_low"], rows[1]["interval_high"]) == wilson_interval(found.right[1] / 13, 13)
    assert {row["images"] for row in rows} == {13}


def test_the_model_is_left_as_found():
    model = network()
    model[1].eval()
    with left_as_found(model):
        radius_accuracy(model, loader(), radii=[1])


def test_models_without_batch_norm_or_of_another_type_or_without_weights():
    images, labels = pictures(20)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(128, 3))
    assert radius_accuracy(plain, (images, labels)).count == 20
    assert radius_accuracy(plain.double(), (images, labels)).count == 20
    assert radius_accuracy(nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten()), (images, labels % 2)).count == 20


def test_images_that_require_gradients():
    given, labels = pictures()
    images, _ = on_device(given.requires_grad_(), labels, network())
    assert not images.requires_grad
    assert attenuate(images, 2).shape == images.shape


def test_grey_images():
    data = pictures(channels=1)
    assert radius_accuracy(network(channels=1), data).count == 13


def test_a_loader_that_shuffles_is_found_out():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with pytest.raises(DataError, match="build it with shuffle=False"):
            radius_accuracy(network(), loader(shuffle=True))


def test_images_of_other_channels_than_the_model_reads():
    with pytest.raises(DataError, match="expected images of 2 channels, as the first convolution reads, got 1; take"):
        radius_accuracy(network(), pictures(channels=1))
    with pytest.raises(DataError, match=r"expected images of 3 channels.*repeat a grey channel"):
        radius_accuracy(network(channels=3), pictures(channels=1))


def test_other_failures_of_the_model_keep_their_words():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        radius_accuracy(nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), pictures())
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        radius_accuracy(nn.Sequential(nn.Conv2d(2, 1, 3), nn.Flatten(), nn.Linear(5, 3)), pictures())


def test_images_of_several_sizes_are_refused():
    batches = [pictures(4), pictures(4, height=9)]
    with pytest.raises(DataError, match=r"expected images of one size, got \[\(8, 8\), \(9, 8\)\]"):
        radius_accuracy(network(), batches)


def test_images_and_labels_that_do_not_fit():
    images, labels = pictures()
    with pytest.raises(DataError, match="look normalised: make the normalisation a layer of the model"):
        radius_accuracy(network(), (images * 2 - 1, labels))
    with pytest.raises(DataError, match=r"label 3 is outside 0\.\.2, the classes of the model"):
        radius_accuracy(network(), (images, labels.clamp(min=1) + 1))
    with pytest.raises(DataError, match=r"expected one whole number from 0 as label of each image, got torch\.float32"):
        radius_accuracy(network(), (images, labels.float()))
    with pytest.raises(DataError, match=r"pass class numbers, as labels.argmax\(1\)"):
        radius_accuracy(network(), (images, torch.nn.functional.one_hot(labels)))
    with pytest.raises(DataError, match="expected one whole number from 0"):
        radius_accuracy(network(), (images, labels - 1))


def test_a_model_without_logits_and_one_that_diverged():
    images, labels = pictures()
    with pytest.raises(DataError, match=r"expected the model to give logits \(13, classes\).*got \(13, 4, 8, 8\)"):
        radius_accuracy(network()[:1], (images, labels))
    broken = network()
    with torch.no_grad():
        broken[-1].weight.fill_(torch.nan)
    with pytest.raises(StateError, match="expected finite logits, got some that are not; the network has diverged"):
        radius_accuracy(broken, (images, labels))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"radii": []}, "expected radii of 0 or more"),
        ({"radii": [1, -2]}, r"in cycles per image, got \[1.0, -2.0\]"),
        ({"keep": "both"}, "expected keep='low' or keep='high', got 'both'"),
        ({"batch_size": 0}, "batch_size ≥ 1"),
    ],
)
def test_settings_outside_of_their_ranges(settings, words):
    with pytest.raises(SettingError, match=words):
        radius_accuracy(network(), pictures(), **settings)
