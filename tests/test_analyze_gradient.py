import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from gossamer.analyze.flow.gradient import mean_gradient, p_norm
from gossamer.core import masks as mask_ops
from gossamer.core.errors import DataError, SettingError, StateError
from tests import networks
from tests.reference import gradient as reference
from tests.test_analyze_live import random_masks


def masked(network="mlp", seed=0, share=0.3):
    """A network with dead weights, its masks and its data."""
    model = getattr(networks, network)(seed)
    masks = random_masks(model, seed, share)
    mask_ops.apply_(dict(model.named_parameters()), masks)
    return model, masks, networks.batch(model, step=seed, size=11)


def assert_twin(found, expected, masks):
    loss, gradients = expected
    assert found.loss == pytest.approx(loss, rel=1e-5)
    for name, gradient in found.coordinates.scatter(found.vector).items():
        torch.testing.assert_close(gradient, gradients[name], rtol=1e-4, atol=1e-6)
        assert name not in masks or not bool(gradient[~masks[name]].any())


@given(st.sampled_from(["mlp", "convnet", "tied"]), st.integers(0, 99), st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=12, deadline=None)
def test_it_is_the_mean_of_the_gradients_of_single_samples(network, seed, share):
    model, masks, (inputs, labels) = masked(network, seed, share)
    for size in (1, 4, 100):
        found = mean_gradient(model, cross_entropy, (inputs, labels), masks=masks, batch_size=size)
        assert_twin(found, reference.mean_gradient(model, cross_entropy, inputs, labels, masks), masks)


def test_by_hand_on_a_quadratic_with_a_dead_weight():
    model = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.0, 2.0]]))
    inputs, labels = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), torch.zeros(3, 1)
    found = mean_gradient(model, mse_loss, (inputs, labels), masks={"weight": torch.tensor([[True, False, True]])})
    # outputs 1, 2, 3: loss (1 + 4 + 9) / 3; gradient 2/3 (1·1 + 3·1, 2·1 + 3·1)
    assert found.loss == pytest.approx(14 / 3)
    assert found.vector.tolist() == pytest.approx([8 / 3, 10 / 3])
    assert found.layers()["weight"].tolist() == found.vector.tolist()
    assert found.norms(1) == {"weight": pytest.approx(6)}
    assert found.norms() == {"weight": pytest.approx((164 / 9) ** 0.5)}


def test_a_smaller_last_batch_counts_by_its_samples():
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    batches = [(torch.tensor([[1.0], [1.0], [1.0]]), torch.zeros(3, 1)), (torch.tensor([[3.0]]), torch.zeros(1, 1))]
    found = mean_gradient(model, mse_loss, batches)
    assert found.loss == pytest.approx(3)  # (1 + 1 + 1 + 9) / 4
    assert found.vector.item() == pytest.approx(6)


def test_dense_without_masks():
    model, _, data = masked(share=1.0)
    assert len(mean_gradient(model, cross_entropy, data).vector) == sum(p.numel() for p in model.parameters())


class Spare(nn.Module):
    """A layer nobody calls, and a frozen one."""

    def __init__(self):
        super().__init__()
        self.used, self.unused, self.frozen = nn.Linear(8, 10), nn.Linear(3, 2), nn.Linear(10, 10)
        self.frozen.requires_grad_(False)

    def forward(self, inputs):
        return self.frozen(self.used(inputs))


def test_an_unused_parameter_has_a_gradient_of_zero_and_a_frozen_one_none():
    model = Spare()
    found = mean_gradient(model, cross_entropy, networks.batch(networks.mlp(), 0))
    assert list(found.norms()) == ["used.weight", "used.bias", "unused.weight", "unused.bias"]
    assert found.norms()["unused.weight"] == found.norms()["unused.bias"] == 0
    assert found.norms()["used.weight"] > 0


def model_with_everything():
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 10))
    model[1].eval()
    return model


@pytest.mark.parametrize("kind", ["pair", "loader"])
def test_everything_is_left_as_found(kind):
    model = model_with_everything()
    inputs, labels = networks.batch(networks.mlp(), 0)
    cross_entropy(model(inputs), labels).backward()
    state, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    grads, random = [p.grad.clone() for p in model.parameters()], torch.get_rng_state()
    data = (inputs, labels) if kind == "pair" else DataLoader(TensorDataset(inputs, labels), batch_size=3)
    first = mean_gradient(model, cross_entropy, data)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(p.grad, grad) for p, grad in zip(model.parameters(), grads, strict=True))
    assert torch.equal(mean_gradient(model, cross_entropy, data).vector, first.vector)  # dropout is off
    assert not first.vector.requires_grad


def test_everything_is_left_as_found_after_an_error():
    model = model_with_everything()
    modes = [module.training for module in model.modules()]
    with pytest.raises(StateError, match="expected a finite loss, got nan"):
        mean_gradient(model, lambda outputs, labels: outputs.sum() * float("nan"), networks.batch(networks.mlp(), 0))
    assert [module.training for module in model.modules()] == modes


def test_it_works_inside_of_an_evaluation_without_gradients():
    model, masks, data = masked()
    with torch.no_grad():
        inside = mean_gradient(model, cross_entropy, data, masks=masks)
    assert torch.equal(inside.vector, mean_gradient(model, cross_entropy, data, masks=masks).vector)


class Wrapper(nn.DataParallel):
    def forward(self, *_):
        raise AssertionError("asked the wrapper, which may gather gradients of several processes")


def test_wrappers_are_looked_through():
    model, masks, data = masked()
    found = mean_gradient(Wrapper(model), cross_entropy, data, masks=masks)
    assert torch.equal(found.vector, mean_gradient(model, cross_entropy, data, masks=masks).vector)


def test_a_double_network_has_a_double_gradient():
    model = networks.mlp().double()
    assert mean_gradient(model, cross_entropy, networks.batch(model, 0)).vector.dtype == torch.float64


def test_a_loss_without_a_mean_is_refused():
    model, masks, data = masked()
    with pytest.raises(SettingError, match=r"as one number, got torch.float32 of shape \(11,\); build it with"):
        mean_gradient(model, nn.CrossEntropyLoss(reduction="none"), data, masks=masks)


def test_masks_of_another_network_are_refused():
    model, masks, data = masked()
    with pytest.raises(StateError, match=r"zeros outside of the masks, got \d+ other weights in"):
        mean_gradient(model, cross_entropy, data, masks={name: ~mask for name, mask in masks.items()})


def test_data_that_is_no_data_is_refused():
    with pytest.raises(DataError, match="expected at least one batch"):
        mean_gradient(networks.mlp(), cross_entropy, [])


def test_the_norm_of_several_parts_is_that_of_one_vector():
    parts = [torch.tensor([[1.0, -2.0]]), torch.tensor([]), torch.tensor([2.0])]
    assert p_norm(parts) == 3
    assert p_norm(parts, 1) == 5
    assert p_norm([]) == 0
    assert p_norm([torch.full((2,), 3e38)]) == pytest.approx(3e38 * 2**0.5)  # float32 squares would overflow
