"""The whole Hessian, weight by weight and unit by unit, against the one found entry by entry."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from gossamer.analyze.curvature import exact_spectrum
from gossamer.analyze.curvature import rows as hessian_rows
from gossamer.analyze.curvature.exact_spectrum import exact_hessian
from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.curvature.layout import Layout
from gossamer.analyze.curvature.linear_layers import linear_layers
from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.summary import summarize_eigenvalues
from gossamer.core.errors import DataError, SettingError, StateError
from tests.curvature import NETWORKS, network, random_masks, samples
from tests.reference import hessian as reference

CROSS_ENTROPY = F.cross_entropy
BY_UNITS = {  # the layers that are taken so, in the order of their use; no test of a network passes by the other way
    "linear": ["weight"],
    "dense": ["0.weight", "2.weight", "4.weight"],
    "convolutional": ["8.weight"],
    "dropout": ["0.weight", "3.weight"],
    "batch norm": ["0.weight", "3.weight"],
    "tied": ["last.weight"],
    "called twice": ["last.weight"],
    "unused": ["used.weight", "last.weight"],
    "backwards": ["first.weight", "middle.weight", "last.weight"],
    "tokens": ["last.weight"],
    "frozen": ["2.weight", "4.weight"],
    "reverse mode only": ["first.weight", "last.weight"],
}
MIXED = {"backwards", "reverse mode only"}  # where the random product, or torch.func, refuses


@pytest.mark.parametrize("by_units", [None, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_entry(name, by_units):
    model = network(name)
    masks = random_masks(model)
    found = exact_hessian(model, CROSS_ENTROPY, samples(), masks=masks, by_units=by_units)
    torch.testing.assert_close(found.matrix, reference.hessian(model, CROSS_ENTROPY, *samples(), masks))
    assert torch.equal(found.matrix, found.matrix.T)
    assert 0 <= found.asymmetry < 1e-12
    assert found.loss == pytest.approx(CROSS_ENTROPY(model.eval()(samples()[0]), samples()[1]).item())


@pytest.mark.parametrize("name", NETWORKS)
def test_which_layers_are_taken_unit_by_unit(name):
    mean_loss = MeanLoss(network(name), CROSS_ENTROPY, samples())
    assert list(linear_layers(mean_loss)) == BY_UNITS[name]
    rows = hessian_rows.hessian_rows(mean_loss, block=32)
    assert bool(rows.layers) is (name not in MIXED)


@pytest.mark.parametrize("name", [*sorted(MIXED), "mixing"])
def test_unit_by_unit_is_refused_where_it_would_be_wrong(name):
    with pytest.raises(StateError, match="their rows differ from Hessian products: do samples mix"):
        exact_hessian(network(name), CROSS_ENTROPY, samples(), by_units=True)


def test_unit_by_unit_without_linear_layers():
    model = nn.Sequential(nn.Unflatten(1, (4, 1, 1)), nn.Conv2d(4, 3, 1), nn.Flatten()).double()
    with pytest.raises(StateError, match="expected linear layers that see one row of inputs a sample, there is none"):
        exact_hessian(model, CROSS_ENTROPY, samples(), by_units=True)


def test_samples_that_mix_are_found_out():
    model = network("mixing")
    found = exact_hessian(model, CROSS_ENTROPY, samples())
    torch.testing.assert_close(found.matrix, reference.hessian(model, CROSS_ENTROPY, *samples()))


@given(
    batch_size=st.integers(1, 9),
    block=st.integers(1, 40),
    density=st.floats(0.0, 1.0),
    count=st.integers(1, 9),
    name=st.sampled_from(["dense", "convolutional"]),
)
@settings(max_examples=15, deadline=None)
def test_neither_batches_nor_blocks_matter(batch_size, block, density, count, name):
    model = network(name)
    masks = random_masks(model, density)
    found = exact_hessian(model, CROSS_ENTROPY, samples(count), masks=masks, batch_size=batch_size, block=block)
    torch.testing.assert_close(found.matrix, reference.hessian(model, CROSS_ENTROPY, *samples(count), masks))


def test_batches_are_weighted_by_their_samples():
    model, (inputs, labels) = network("dense"), samples()
    parts = [(inputs[:1], labels[:1]), (inputs[1:], labels[1:])]
    whole = exact_hessian(model, CROSS_ENTROPY, samples())
    torch.testing.assert_close(exact_hessian(model, CROSS_ENTROPY, parts).matrix, whole.matrix)


def test_the_eigenvalues_are_those_that_products_have():
    model = network("dense")
    masks = random_masks(model)
    found = exact_hessian(model, CROSS_ENTROPY, samples(), masks=masks)
    operator = hessian(model, CROSS_ENTROPY, samples(), masks=masks)
    values, vectors = torch.linalg.eigh(found.matrix)
    torch.testing.assert_close(found.eigenvalues, values)
    torch.testing.assert_close(operator @ vectors, vectors * values)


def test_dead_weights_never_enter():
    model = network("dense")
    masks = random_masks(model, density=0.3)
    clean = exact_hessian(model, CROSS_ENTROPY, samples(), masks=masks)
    assert len(clean.matrix) == sum(int(m.sum()) for m in masks.values()) + 5 + 3
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p[~masks[name]] = 100.0
    assert torch.equal(exact_hessian(model, CROSS_ENTROPY, samples(), masks=masks).matrix, clean.matrix)


def test_float32_rounding_is_told():
    model = network("dense").float()
    inputs, labels = samples()
    found = exact_hessian(model, CROSS_ENTROPY, (inputs.float(), labels))
    expected = reference.hessian(network("dense"), CROSS_ENTROPY, inputs, labels)
    torch.testing.assert_close(found.matrix, expected, rtol=1e-4, atol=1e-6)
    assert 0 < found.asymmetry < 1e-5


def forward_passes(by_units, count):
    model = network("dense")
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    exact_hessian(model, CROSS_ENTROPY, samples(count), batch_size=2, by_units=by_units)
    return len(calls)


@pytest.mark.parametrize("by_units", [None, False])
def test_cost_is_linear_in_the_samples(by_units):
    two, four, eight = (forward_passes(by_units, count) for count in (2, 4, 8))
    assert eight - four == 2 * (four - two)


def test_a_unit_costs_one_derivative_however_many_weights_feed_it():
    def derivatives(inputs):
        torch.manual_seed(0)
        model = nn.Linear(inputs, 3)
        mean_loss = MeanLoss(model, CROSS_ENTROPY, (torch.randn(5, inputs), torch.zeros(5, dtype=torch.long)))
        rows = hessian_rows.HessianRows(mean_loss, linear_layers(mean_loss), block=2)
        calls = []
        model.register_forward_hook(lambda *_: calls.append(1))
        for batch, _ in mean_loss.batches():
            list(rows.of(batch))
        return len(calls)

    assert derivatives(4) == derivatives(40) == 1 + 2  # at rest, then two units and one


@pytest.mark.parametrize("by_units", [None, False])
def test_progress(by_units):
    told = []
    model = network("convolutional")
    masks = random_masks(model)
    found = exact_hessian(
        model,
        CROSS_ENTROPY,
        samples(),
        masks=masks,
        batch_size=3,
        block=4,
        by_units=by_units,
        progress=lambda done, total: told.append((done, total)),
    )
    total = 7 * len(found.matrix)
    assert told[-1] == (total, total)
    assert {whole for _, whole in told} == {total}
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_everything_is_left_as_found():
    model = network("batch norm").train()
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    before, state = deepcopy(model), torch.get_rng_state()
    exact_hessian(model, CROSS_ENTROPY, samples())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
    assert all(not module._forward_hooks for module in model.modules())
    for ours, theirs in zip(model.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())


def test_an_error_in_the_middle_leaves_no_hooks():
    model = network("dense")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exact_hessian(model, CROSS_ENTROPY, samples(), progress=stop)
    assert all(not module._forward_hooks for module in model.modules())


def test_too_many_coordinates(monkeypatch):
    monkeypatch.setattr(exact_spectrum, "LARGEST", 10)
    with pytest.raises(SettingError, match=r"expected at most 10 live coordinates, got 15.*use eigenvalues\(\)"):
        exact_hessian(network("linear"), CROSS_ENTROPY, samples())


def test_a_block_of_nothing():
    with pytest.raises(SettingError, match="expected a block of 1 column or more, got 0"):
        exact_hessian(network("linear"), CROSS_ENTROPY, samples(), block=0)


def test_a_loss_that_is_not_finite():
    model = network("linear")
    model.weight.data[0, 0] = float("inf")
    with pytest.raises(StateError, match="expected a finite loss"):
        exact_hessian(model, CROSS_ENTROPY, samples())


def test_a_layout_by_hand():
    rows = Layout([(("b",), torch.tensor([2])), (("a",), torch.tensor([1, 0]))])
    assert rows.from_here(rows.groups[0]) == ["b", "a"]
    assert rows.from_here(rows.groups[1]) == ["a"]
    upper = torch.tensor([[4.0, 1.0, 2.0], [0.0, 5.0, 8.0], [0.0, 6.0, 3.0]])
    matrix, asymmetry = rows.completed(upper)
    assert matrix.tolist() == [[3.0, 7.0, 2.0], [7.0, 5.0, 1.0], [2.0, 1.0, 4.0]]
    assert asymmetry == 2 / 7  # of 8 and 6, whose mean 7 is the largest entry


def test_a_summary_by_hand():
    found = summarize_eigenvalues(torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 1.0, 10.0]))
    assert found.as_dict() == {
        "count": 6,
        "smallest": -2.0,
        "largest": 10.0,
        "negative": 1,
        "negative_share": pytest.approx(1 / 6),
        "positive": 2,
        "bound": pytest.approx(1e-4),
        "trace": pytest.approx(9.0),
    }
    assert summarize_eigenvalues(torch.tensor([-1e-6, 1.0]), tolerance=0).negative == 1


def test_the_summary_of_a_hessian():
    found = exact_hessian(network("dense"), CROSS_ENTROPY, samples())
    assert found.summary().smallest == found.eigenvalues[0]
    assert found.summary().trace == pytest.approx(float(found.matrix.trace()))
    assert found.summary(tolerance=1.0).negative == 0


@pytest.mark.parametrize("values", [torch.zeros(0), torch.zeros(2, 2), torch.tensor([1.0, float("nan")])])
def test_no_summary_of_something_else(values):
    with pytest.raises(DataError, match=r"expected finite eigenvalues of shape \(n,\), at least one, got shape"):
        summarize_eigenvalues(values)


def test_a_negative_tolerance():
    with pytest.raises(SettingError, match="expected a tolerance of 0 or more, got -1"):
        summarize_eigenvalues(torch.ones(2), tolerance=-1)
