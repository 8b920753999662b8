"""Grad-CAM against its definition, one image at a time."""

import doctest

import pytest
import torch
from torch import nn

from gossamer.analyze.channels.grad_cam import grad_cam
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from tests.pictures import left_as_found, network, pictures
from tests.reference.grad_cam import grad_cam as one_by_one


@pytest.fixture(autouse=True)
def _captum():
    pytest.importorskip("captum.attr", reason="captum is not installed: pip install 'gossamer[cam]'")


def deep(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = [nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, stride=2), nn.BatchNorm2d(5)]
        return nn.Sequential(*features, nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(45, 3)).eval()


def test_maps_are_those_of_the_definition():
    images, labels = pictures(9, height=9, width=10)
    model = deep()
    found = grad_cam(model, images, labels, batch_size=4)
    expected = [
        one_by_one(model[:3], model[3:], image, int(label)) for image, label in zip(images, labels, strict=True)
    ]
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)
    assert found.shape == (9, 9, 10)
    assert found.amax((1, 2)).round(decimals=5).unique().tolist() in ([1.0], [0.0, 1.0])
    assert float(found.min()) >= 0


def test_another_layer_and_the_class_that_the_model_names():
    images, _ = pictures(5, height=9, width=9)
    model = deep()
    labels = model(images).argmax(1)
    named = grad_cam(model, images, layer="4")
    expected = [
        one_by_one(model[:5], model[5:], image, int(label)) for image, label in zip(images, labels, strict=True)
    ]
    assert torch.allclose(named, torch.stack(expected), atol=1e-5)
    assert not torch.allclose(named, grad_cam(model, images, labels))
    assert torch.equal(grad_cam(model, images), grad_cam(model, images, labels, layer="2"))


def test_the_map_of_a_network_that_looks_at_one_corner():
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[3].weight.copy_(torch.tensor([[1.0], [-1.0]]))
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 3] = 0.5
    assert torch.equal(grad_cam(model, image, torch.tensor([0])), (image * 2)[0])
    assert torch.equal(grad_cam(model, image, torch.tensor([1])), torch.zeros(1, 4, 4))  # nothing speaks for class 1


def test_the_model_is_left_as_found():
    model = network()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    images, labels = pictures()
    with left_as_found(model):
        grad_cam(model, images, labels)
    assert not images.requires_grad
    with left_as_found(model), pytest.raises(SettingError, match="expected a layer with feature maps"):
        grad_cam(model, images, layer="6")


def test_frozen_parameters_inference_mode_wrappers_and_other_types():
    images, labels = pictures(5)
    expected = grad_cam(network(), images, labels)
    frozen = network().requires_grad_(False)
    assert torch.equal(grad_cam(frozen, images, labels), expected)
    model = network()
    with torch.inference_mode():
        found = grad_cam(model, images.clone(), labels)
    assert torch.equal(found, expected)
    with torch.no_grad():
        assert torch.equal(grad_cam(nn.DataParallel(network()), images, labels), expected)
    assert torch.allclose(grad_cam(network().double(), images, labels).float(), expected, atol=1e-4)


def test_no_images():
    assert grad_cam(network(), torch.zeros(0, 2, 8, 8)).shape == (0, 8, 8)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.idle, self.side = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3), nn.Conv2d(4, 1, 1)
        self.write = nn.Linear(144, 3)

    def forward(self, images):
        features = self.read(images)
        self.side(features)
        return self.write(features.flatten(1))


@pytest.mark.parametrize("layer", ["idle", "side", None])
def test_a_layer_that_takes_no_part(layer):
    with pytest.raises(SettingError, match=f"expected a layer that takes part in the logits, got '{layer or 'side'}'"):
        grad_cam(Branches(), pictures()[0], layer=layer)
    assert grad_cam(Branches(), pictures()[0], layer="read").shape == (13, 8, 8)


def test_a_failure_inside_keeps_its_words():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.calls = network(), 0

        def forward(self, images):
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("out of order")
            return self.inner(images)

    with pytest.raises(RuntimeError, match="out of order"):
        grad_cam(Fails(), pictures()[0])


def test_gradients_that_are_not_finite():
    class Root(nn.Module):
        def forward(self, features):
            return (features - features.detach()).sqrt()

    model = nn.Sequential(nn.Conv2d(2, 3, 3), Root(), nn.Flatten(), nn.Linear(108, 3))
    with pytest.raises(StateError, match="expected finite gradients at the layer"):
        grad_cam(model, pictures()[0])


def test_what_is_refused():
    images, labels = pictures()
    with pytest.raises(SettingError, match="expected a model with a two-dimensional convolution, got none"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(128, 3)), images)
    with pytest.raises(DataError, match=r"expected images as a tensor, got ndarray; pass torch\.from_numpy"):
        grad_cam(network(), images.numpy())
    with pytest.raises(DataError, match="expected labels as a tensor, got list"):
        grad_cam(network(), images, labels.tolist())
    with pytest.raises(UnknownNameError, match="unknown layer 'conv'"):
        grad_cam(network(), images, layer="conv")
    with pytest.raises(DataError, match=r"expected one label for each of 13 images, got shape \(5,\)"):
        grad_cam(network(), images, labels[:5])
    with pytest.raises(DataError, match=r"label 3 is outside 0\.\.2, the classes of the model"):
        grad_cam(network(), images, torch.full((13,), 3))
    with pytest.raises(DataError, match="expected one whole number from 0 as label"):
        grad_cam(network(), images, labels - 3)
    with pytest.raises(DataError, match="look normalised"):
        grad_cam(network(), images - 3)
    with pytest.raises(DataError, match="give grey images a channel"):
        grad_cam(network(channels=1), images[:, 0])
    with pytest.raises(DataError, match="expected images of 1 channels"):
        grad_cam(network(channels=1), images)
    with pytest.raises(SettingError, match="expected batch_size ≥ 1, got 0"):
        grad_cam(network(), images, batch_size=0)


def test_the_example_of_its_docstring():
    """It is skipped where the package's other examples run, since captum may be missing there."""
    example = doctest.DocTestParser().get_doctest(
        grad_cam.__doc__.replace("# doctest: +SKIP", ""), {"torch": torch, "nn": nn, "grad_cam": grad_cam}, "", None, 0
    )
    with torch.random.fork_rng(devices=[]):
        assert doctest.DocTestRunner().run(example) == (0, len(example.examples))
