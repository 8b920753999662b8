import math
import warnings
from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer import RigL, Sparsifier
from gossamer.bench.models import build
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.core.named import select
from gossamer.hardness import grand, per_sample
from tests import networks
from tests.reference import grand as reference


def dropout_network(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.ReLU(), nn.Linear(12, 10))


class Scaled(nn.Module):
    """A weight that is a single number, one that takes no part, and a frozen one."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.unused = nn.Parameter(torch.ones(3))
        self.layer = nn.Linear(8, 10)
        self.layer.bias.requires_grad_(False)

    def forward(self, inputs):
        return self.scale * self.layer(inputs)


class DataDependent(nn.Module):
    """vmap has no rule for a branch on a value."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 10)

    def forward(self, inputs):
        return self.layer(inputs) if bool(inputs.sum() > 0) else 2 * self.layer(inputs)


class Counting(nn.Module):
    """Writes into its own buffer, in evaluation mode too."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 10)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs):
        self.calls += 1
        return self.layer(inputs)


def attention():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        return nn.Sequential(nn.Unflatten(1, (2, 4)), layer, nn.Flatten(), nn.Linear(8, 10))


NETWORKS = {
    "mlp": networks.mlp,
    "convnet": networks.convnet,
    "tied": networks.tied,
    "dropout": dropout_network,
    "scaled": Scaled,
    "attention": attention,
}


def data(network, size=6, seed=0):
    images, labels = networks.batch(network, seed, size)
    if isinstance(network, nn.Module) and next(network.parameters()).dim() == 0:  # Scaled, whose first is a number
        images = torch.randn(size, 8, generator=torch.Generator().manual_seed(seed))
    return images, labels


def with_statistics(network):
    """Batch norm that has seen something, so that its two modes differ."""
    network.train()
    with torch.random.fork_rng(devices=[]):
        for step in range(3):
            network(data(network, 16, step)[0])
    return network


@pytest.mark.parametrize("vectorize", [True, False, None])
@pytest.mark.parametrize("name", NETWORKS)
def test_grand_agrees_with_backward_sample_by_sample(name, vectorize):
    network = with_statistics(NETWORKS[name]())
    images, labels = data(network)
    expected = torch.tensor(reference.grand(network, images, labels), dtype=torch.float64)
    scores = grand(network, images, labels, vectorize=vectorize, chunk=4)
    torch.testing.assert_close(scores, expected, rtol=2e-5, atol=1e-6)
    assert scores.dtype == torch.float64
    assert not scores.requires_grad


@pytest.mark.parametrize("vectorize", [True, False])
def test_grand_in_double_precision_is_exact(vectorize):
    network = with_statistics(networks.convnet()).double()
    images, labels = data(network)
    expected = torch.tensor(reference.grand(network, images, labels), dtype=torch.float64)
    torch.testing.assert_close(grand(network, images, labels, vectorize=vectorize), expected, rtol=1e-12, atol=0)


def test_grand_of_logistic_regression_by_hand():
    # zero weights: p = 1/4 each; (p - y) xᵀ and p - y: √(9/16 + 3/16) · ‖(x, 1)‖
    layer = nn.Linear(2, 4)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    scores = grand(layer, torch.tensor([[2.0, 2.0], [0.0, 0.0]]), torch.tensor([3, 1]))
    assert scores.tolist() == pytest.approx([math.sqrt(3) / 2 * 3, math.sqrt(3) / 2], rel=1e-6)


@pytest.mark.parametrize("vectorize", [True, False])
def test_only_live_weights_of_masked_parameters_count(vectorize):
    network = with_statistics(networks.convnet())
    images, labels = data(network)
    stream = torch.Generator().manual_seed(0)
    masks = {name: torch.rand(weight.shape, generator=stream) < 0.3 for name, weight in select(network).items()}
    masks.pop("4.weight")  # a weight without a mask counts whole
    expected = torch.tensor(reference.grand(network, images, labels, masks), dtype=torch.float64)
    scores = grand(network, images, labels, masks=masks, vectorize=vectorize)
    torch.testing.assert_close(scores, expected, rtol=2e-5, atol=1e-6)
    assert (scores < grand(network, images, labels)).all()


def test_masks_of_a_sparsifier_are_taken():
    network = networks.mlp()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    sparsifier = Sparsifier(RigL(sparsity=0.9, total_steps=10), network, optimizer)
    images, labels = data(network)
    assert (grand(network, images, labels, masks=sparsifier.masks) < grand(network, images, labels)).all()


def test_frozen_weights_do_not_count():
    network = networks.mlp()
    images, labels = data(network)
    whole = grand(network, images, labels)
    first = [*network[0].parameters(), *network[2].parameters()]
    for parameter in first:
        parameter.requires_grad_(False)
    last = grand(network, images, labels)
    network[4].requires_grad_(False)
    for parameter in first:
        parameter.requires_grad_(True)
    torch.testing.assert_close(grand(network, images, labels).square() + last.square(), whole.square())


@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), chunk=st.integers(1, 10), vectorize=st.booleans())
def test_samples_are_on_their_own(seed, size, chunk, vectorize):
    network = networks.mlp().double()
    images, labels = data(network, size, seed)
    scores = grand(network, images, labels, chunk=chunk, vectorize=vectorize)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(grand(network, images[order], labels[order], vectorize=vectorize), scores[order])
    assert scores.shape == (size,)


def state(network):
    modes = [module.training for module in network.modules()]
    return modes, deepcopy(network.state_dict()), torch.get_rng_state()


@pytest.mark.parametrize("vectorize", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_everything_is_left_as_found(name, vectorize):
    network = with_statistics(NETWORKS[name]())
    list(network.modules())[-1].eval()
    images, labels = data(network)
    parameters = list(network.parameters())
    parameters[0].grad = torch.ones_like(parameters[0])
    torch.manual_seed(5)
    modes, tensors, random = state(network)
    grand(network, images, labels, vectorize=vectorize)
    assert state(network)[0] == modes
    assert all(torch.equal(network.state_dict()[key], tensor) for key, tensor in tensors.items())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(parameters[0].grad, torch.ones_like(parameters[0]))
    assert all(parameter.grad is None for parameter in parameters[1:])
    assert not any(isinstance(module, torch.nn.Module) and module._forward_hooks for module in network.modules())


def test_modes_come_back_after_an_error():
    network = dropout_network()
    with pytest.raises(DataError, match="label 10"):
        grand(network, torch.zeros(1, 8), torch.tensor([10]))
    assert all(module.training for module in network.modules())


def test_hooks_on_parameters_do_not_see_the_gradients():
    network = networks.mlp()
    seen = []
    network[0].weight.register_hook(seen.append)
    for vectorize in (True, False):
        grand(network, *data(network), vectorize=vectorize)
    assert seen == []


@pytest.mark.parametrize("vectorize", [True, False])
def test_grand_works_where_gradients_are_switched_off(vectorize):
    network = networks.mlp()
    images, labels = data(network)
    expected = grand(network, images, labels, vectorize=vectorize)
    with torch.no_grad():
        assert torch.equal(grand(network, images, labels, vectorize=vectorize), expected)
    with torch.inference_mode():
        made_inside = images.clone(), labels.clone()
        found = grand(network, *made_inside, vectorize=vectorize)
    assert torch.equal(found, expected)


def test_a_network_that_vmap_cannot_run_goes_sample_by_sample():
    network = DataDependent()
    images, labels = data(network)
    expected = torch.tensor(reference.grand(network, images, labels), dtype=torch.float64)
    torch.testing.assert_close(grand(network, images, labels), expected, rtol=2e-5, atol=0)
    with pytest.raises(StateError, match=r"vmap cannot run this network \(.*\).*pass vectorize=False"):
        grand(network, images, labels, vectorize=True)


def test_a_module_that_writes_into_its_buffers_writes_into_copies():
    network = Counting()
    images, labels = data(network)
    expected = reference.grand(network, images, labels)
    before = float(network.calls)
    assert grand(network, images, labels, vectorize=False).tolist() == pytest.approx(expected, rel=1e-5)
    assert float(network.calls) <= before + 1  # of the one image that is looked at first


def test_wrappers_are_looked_through():
    network = networks.mlp()
    images, labels = data(network)
    expected = grand(network, images, labels)
    assert torch.equal(grand(nn.DataParallel(network), images, labels), expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch.compile says about itself is not at stake
        compiled = torch.compile(network, backend="eager")
    names = {"0.weight": torch.ones(16, 8, dtype=torch.bool)}
    assert torch.equal(grand(compiled, images, labels, masks=names), expected)


def test_convolutions_on_a_cpu_go_one_after_the_other_by_default(monkeypatch):
    monkeypatch.setattr(per_sample.PerSample, "_at_once", lambda *_: pytest.fail("all at once"))
    network = networks.convnet()
    assert len(grand(network, *data(network))) == 6


def test_the_default_chunk_follows_the_number_of_weights():
    def chunk(weights):
        return per_sample.PerSample(nn.Identity(), {"w": torch.empty(weights, device="meta")}, {}).chunk()

    assert [chunk(10), chunk(2**20), chunk(2**30)] == [256, 64, 1]


def test_a_network_of_the_workbench():
    model = build("convnet", num_classes=10, image_size=8, channels=1)
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([3, 1, 0, 9])
    expected = torch.tensor(reference.grand(model, images, labels), dtype=torch.float64)
    torch.testing.assert_close(grand(model, images, labels), expected, rtol=1e-4, atol=0)


def test_grand_refuses_data_that_does_not_fit():
    network = networks.mlp()
    images, labels = data(network)
    words = r"grand: expected images \(N, ...\) and labels \(N,\), none empty"
    for other in (labels[:3], labels[:0], labels[:, None]):
        with pytest.raises(DataError, match=words):
            grand(network, images, other)
    with pytest.raises(DataError, match=r"label 10 at index 2 is outside 0\.\.9"):
        grand(network, images, torch.tensor([0, 1, 10, 0, 0, 0]))
    with pytest.raises(DataError, match=r"expected whole numbers as labels, got torch\.float32"):
        grand(network, images, labels.float())


@pytest.mark.parametrize(
    "output", [lambda logits: (logits, logits), lambda logits: logits[0], lambda logits: logits[:, :1]]
)
def test_grand_refuses_outputs_that_are_no_logits(output):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = networks.mlp()

        def forward(self, inputs):
            return output(self.inner(inputs))

    with pytest.raises(DataError, match=r"grand: expected logits \(1, C ≥ 2\) from the model for one image, got"):
        grand(Wrapped(), *data(networks.mlp()))


def test_grand_refuses_settings_that_make_no_sense():
    network = networks.mlp()
    with pytest.raises(SettingError, match="grand: expected chunk ≥ 1 sample, got 0"):
        grand(network, *data(network), chunk=0)
    with pytest.raises(
        UnknownNameError, match=r"unknown parameter that wants gradients '0\.weigth'; did you mean '0\.weight'"
    ):
        grand(network, *data(network), masks={"0.weigth": torch.ones(16, 8, dtype=torch.bool)})
    with pytest.raises(StateError, match=r"expected a bool mask for '0\.weight', got torch\.float32"):
        grand(network, *data(network), masks={"0.weight": torch.ones(16, 8)})
    with pytest.raises(StateError, match="expected weights that want gradients, got none"):
        grand(networks.mlp().requires_grad_(False), *data(network))


def test_grand_refuses_batch_norm_that_mixes_samples():
    network = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 10))
    with pytest.raises(StateError, match="batch norm '1' has no running statistics"):
        grand(network, *data(networks.mlp()))


def test_grand_refuses_a_network_that_has_diverged():
    network = networks.mlp()
    with torch.no_grad():
        network[4].weight[0, 0] = math.nan
    with pytest.raises(DataError, match="6 samples have gradients that are not finite; the model has diverged"):
        grand(network, *data(network))


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (torch.uint8, r"pass images\.to\(torch\.float32\) / 255, normalised as in its training"),
        (torch.float64, r"pass images\.to\(torch\.float32\), normalised as in its training"),
    ],
)
def test_images_of_another_type_than_the_weights(kind, advice):
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.ones(3, 1, 2, 2, dtype=kind)
    with pytest.raises(DataError, match=rf"of torch\.float32, does not take images of {kind} \(.*\); {advice}"):
        grand(model, images, torch.tensor([0, 1, 0]))


def test_what_a_model_raises_by_itself_is_left_alone():
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        grand(nn.Linear(4, 2), torch.ones(3, 5), torch.tensor([0, 1, 0]))
