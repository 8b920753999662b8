"""Products with the Hessian of the live weights, against the whole Hessian entry by entry."""

import importlib
import warnings
from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.products import Products
from gossamer.analyze.live import coordinates
from gossamer.core.errors import DataError, SettingError, StateError
from tests.curvature import NETWORKS, network, random_masks, samples
from tests.reference import hessian as reference

CROSS_ENTROPY = F.cross_entropy


def products(model, masks=None, data=None, **settings):
    """The whole matrix, by products with all unit vectors."""
    operator = hessian(model, CROSS_ENTROPY, data or samples(), masks=masks, **settings)
    return operator @ torch.eye(operator.shape[0])


WAYS = [
    (name, way) for name in NETWORKS for way in ("block", "single") if (name, way) != ("reverse mode only", "block")
]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_products_with_unit_vectors_are_the_hessian(name, way):
    model = network(name)
    masks = random_masks(model)
    found = products(model, masks, way=way)
    torch.testing.assert_close(found, reference.hessian(model, CROSS_ENTROPY, *samples(), masks))


@pytest.mark.parametrize("name", NETWORKS)
def test_by_default_every_network_works(name):
    model = network(name)
    torch.testing.assert_close(products(model), reference.hessian(model, CROSS_ENTROPY, *samples()))


def test_the_same_as_torch_func():
    model = network("dense")
    names, shapes = zip(*((name, p.shape) for name, p in model.named_parameters()), strict=True)

    inputs, labels = samples()

    def loss(flat):
        parts = torch.split(flat, [shape.numel() for shape in shapes])
        weights = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return CROSS_ENTROPY(torch.func.functional_call(model, weights, (inputs,)), labels)

    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(products(model), torch.func.hessian(loss)(flat))


def test_a_quadratic_by_hand():
    model = nn.Linear(2, 1, bias=False)
    data = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.zeros(2, 1)
    operator = hessian(model, F.mse_loss, data)  # 2 · mean x xᵀ = [[1 + 9, 2], [2, 4]]
    assert (operator @ torch.tensor([1.0, 0.0])).tolist() == [10.0, 2.0]
    assert (operator @ torch.tensor([0.0, 1.0])).tolist() == [2.0, 4.0]
    assert operator.products == 2
    assert operator.loss == pytest.approx(F.mse_loss(model(data[0]), data[1]).item())


def test_dead_weights_never_enter():
    model = network("dense")
    masks = random_masks(model, density=0.4)
    clean = products(model, masks)
    assert len(clean) == sum(int(m.sum()) for m in masks.values()) + 5 + 3
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p[~masks[name]] = 100.0
    assert torch.equal(products(model, masks), clean)
    assert model[0].weight.detach().max() == 100.0


@given(batch_size=st.integers(1, 9), block=st.integers(1, 40), density=st.floats(0.1, 1.0), count=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_neither_batches_nor_blocks_matter(batch_size, block, density, count):
    model = network("dense")
    masks = random_masks(model, density)
    found = products(model, masks, samples(count), batch_size=batch_size, block=block)
    torch.testing.assert_close(found, reference.hessian(model, CROSS_ENTROPY, *samples(count), masks))


def test_batches_are_weighted_by_their_samples():
    model, (inputs, labels) = network("dense"), samples()
    parts = [(inputs[:1], labels[:1]), (inputs[1:], labels[1:])]
    torch.testing.assert_close(products(model, data=parts), products(model))


def test_a_loader_serves_and_one_that_shuffles_is_found_out():
    model, dataset = network("dense"), TensorDataset(*samples())
    torch.testing.assert_close(products(model, data=DataLoader(dataset, batch_size=3)), products(model))
    shuffled = DataLoader(dataset, batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DataError, match="expected the same samples in the same order in every pass"):
        products(model, data=shuffled)


@pytest.mark.parametrize("name", ["dropout", "batch norm", "tokens", "reverse mode only"])
def test_everything_is_left_as_found(name):
    model = network(name).train()
    model[1].eval() if name == "dropout" else None
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before, state = deepcopy(model), torch.get_rng_state()
    products(model, random_masks(deepcopy(model)))
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in model.modules()] == [m.training for m in before.modules()]
    assert all(not module._forward_hooks for module in model.modules())
    for ours, theirs in zip(model.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    for p in model.parameters():
        assert torch.equal(p.grad, torch.ones_like(p))
        assert p.requires_grad


def test_training_afterwards_changes_nothing():
    model = network("batch norm")
    operator = hessian(model, CROSS_ENTROPY, samples())
    vector = torch.ones(operator.shape[0])
    before = operator @ vector
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(1)
    assert torch.equal(operator @ vector, before)


def test_wrappers_are_looked_through():
    model = network("dense")
    torch.testing.assert_close(products(torch.compile(model, backend="eager")), products(model))
    torch.testing.assert_close(products(nn.DataParallel(model)), products(model))


@pytest.mark.parametrize("way", ["block", "single"])
def test_in_inference_mode_and_without_gradients(way):
    model = network("dense")
    expected = products(model)
    with torch.inference_mode():
        data = samples()
        torch.testing.assert_close(products(model, data=data, way=way), expected)
    with torch.no_grad():
        torch.testing.assert_close(products(model, way=way), expected)


def test_float32_networks_are_summed_in_float64():
    model = network("dense").float()
    inputs, labels = samples()
    found = products(model, data=(inputs.float(), labels))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, products(network("dense")), rtol=1e-4, atol=1e-6)


def test_a_block_passes_through_the_network_once():
    model = network("dense")
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    operator = hessian(model, CROSS_ENTROPY, samples(), batch_size=3, block=8)  # 3 batches
    calls.clear()
    operator @ torch.ones(operator.shape[0], 8)
    assert len(calls) == 3
    operator @ torch.ones(operator.shape[0], 9)
    assert len(calls) == 3 + 6
    assert operator.products == 17


def test_for_scipy():
    from scipy.sparse.linalg import eigsh

    model = network("dense")
    matrix = reference.hessian(model, CROSS_ENTROPY, *samples())
    operator = hessian(model, CROSS_ENTROPY, samples()).as_linear_operator()
    values = eigsh(operator, k=3, which="LA", return_eigenvectors=False)
    torch.testing.assert_close(torch.as_tensor(values.copy()), torch.linalg.eigvalsh(matrix)[-3:])
    torch.testing.assert_close(torch.as_tensor(operator @ matrix.numpy()), matrix @ matrix)


def test_a_network_without_forward_mode_takes_the_single_way():
    operator = hessian(network("reverse mode only"), CROSS_ENTROPY, samples())
    assert operator.way == "block"
    operator @ torch.ones(operator.shape[0])
    assert operator.way == "single"


def test_or_says_so_where_the_block_way_is_asked_for():
    operator = hessian(network("reverse mode only"), CROSS_ENTROPY, samples(), way="block")
    with pytest.raises(StateError, match=r"expected a network that torch.func can differentiate.*pass way='single'"):
        operator @ torch.ones(operator.shape[0])


def test_a_loss_that_is_not_finite():
    model = network("dense")
    inputs, labels = samples()
    inputs[3] = float("nan")
    with pytest.raises(StateError, match="expected a finite loss, got nan"):
        hessian(model, CROSS_ENTROPY, (inputs, labels))


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"block": 0}, "expected a block of 1 vector or more, got 0"),
        ({"batch_size": 0}, "batch_size ≥ 1, got 0"),
        ({"way": "fast"}, "expected way 'block', 'single' or None, got 'fast'"),
    ],
)
def test_settings_out_of_range(given_settings, words):
    with pytest.raises(SettingError, match=words):
        hessian(network("dense"), CROSS_ENTROPY, samples(), **given_settings)


def test_no_vectors_have_no_products():
    operator = hessian(network("linear"), CROSS_ENTROPY, samples())
    assert (operator @ torch.zeros(15, 0)).shape == (15, 0)
    assert operator.products == 0
    assert operator.way == "block"


@pytest.mark.parametrize("shape", [(5,), (5, 2), (48, 2, 1)])
def test_vectors_of_another_shape(shape):
    operator = hessian(network("linear"), CROSS_ENTROPY, samples())
    with pytest.raises(DataError, match=r"expected vectors of shape \(15,\) or \(15, k\).*got \("):
        operator @ torch.zeros(shape)


def test_masks_of_another_model():
    with pytest.raises(StateError, match=r"got masks of \['other'\] besides"):
        hessian(network("dense"), CROSS_ENTROPY, samples(), masks={"other": torch.ones(2).bool()})


def test_the_mean_loss_of_a_sparse_network_is_that_of_its_live_weights():
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([[2.0, 50.0]])
    data = torch.tensor([[1.0, 1.0], [3.0, 1.0]]), torch.zeros(2, 1)
    mean_loss = MeanLoss(model, F.mse_loss, data, masks={"weight": torch.tensor([[True, False]])}, batch_size=1)
    assert mean_loss.value == 20.0  # (2² + 6²) / 2
    assert mean_loss.count == 2
    assert [share for _, share in mean_loss.batches()] == [0.5, 0.5]


@pytest.mark.parametrize("way", ["block", "single"])
def test_products_of_some_weights_only(way):
    weights = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}

    def value(at):  # ∂² / ∂a ∂a = 2 b on the diagonal, ∂² / ∂a ∂b = 2 a
        return (at["a"] ** 2).sum() * at["b"].sum()

    found = Products(way)(value, weights, {"a": torch.tensor([[1.0, 0.0]])}, ["a"])
    assert {name: part.tolist() for name, part in found.items()} == {"a": [[6.0, 0.0]]}
    found = Products(way)(value, weights, {"a": torch.tensor([[1.0, 0.0]])}, ["a", "b"])
    assert {name: part.tolist() for name, part in found.items()} == {"a": [[6.0, 0.0]], "b": [[2.0]]}


@pytest.fixture
def curvlinops():
    """The package; what it and what it needs warn of in their own imports is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("curvlinops")
        except ImportError as error:
            pytest.skip(f"curvlinops cannot be imported ({error}); see tests/peers.txt")


def test_the_same_as_curvlinops(curvlinops):
    model = network("convolutional")
    data = [(inputs, labels) for inputs, labels in zip(*(part.split(3) for part in samples()), strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = curvlinops.HessianLinearOperator(
            model.eval(), nn.CrossEntropyLoss(), list(model.parameters()), data, check_deterministic=False
        )
        expected = peer @ torch.eye(peer.shape[0], dtype=torch.float64)
    torch.testing.assert_close(products(model, data=data), expected)


def test_coordinates_are_the_networks_own():
    model = network("dense")
    masks = random_masks(model)
    assert (
        hessian(model, CROSS_ENTROPY, samples(), masks=masks).coordinates.sizes() == coordinates(model, masks).sizes()
    )


def test_a_loss_that_is_no_mean_is_refused_before_anything_is_differentiated():
    with pytest.raises(SettingError, match="expected a loss that gives the mean over the batch as one number"):
        hessian(network(next(iter(NETWORKS))), torch.nn.CrossEntropyLoss(reduction="none"), samples())
