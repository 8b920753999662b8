"""Where live weights lie: against networks that are asked channel by channel, and against all masks there are."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from gossamer.analyze.channels.concentration import evenness, expected_evenness, expected_gini, gini
from gossamer.analyze.channels.kernels import space, space_rows
from gossamer.core.errors import SettingError, StateError
from tests.networks import convnet, tied
from tests.pictures import left_as_found, network
from tests.reference import concentration as reference
from tests.reference.space import reach

LAYERS = {
    "convolution": (lambda: nn.Conv2d(3, 4, (3, 2), padding=2, bias=False), 3, 2),
    "one dimension": (lambda: nn.Conv1d(2, 3, 3, padding=2, bias=False), 2, 1),
    "three dimensions": (lambda: nn.Conv3d(2, 2, 2, padding=1, bias=False), 2, 3),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, padding=2, groups=2, bias=False), 4, 2),
    "depthwise": (lambda: nn.Conv2d(4, 4, 3, padding=2, groups=4, bias=False), 4, 2),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 2, bias=False), 3, 2),
    "transposed and grouped": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False), 4, 2),
    "linear": (lambda: nn.Linear(5, 3, bias=False), 5, 0),
}


def sparse(make, seed=0, density=0.4):
    layer = make()
    with torch.no_grad():
        layer.weight.copy_(torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(seed)) < density)
    return layer


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("make", "inputs", "spatial"), LAYERS.values(), ids=LAYERS)
def test_counts_are_what_the_layer_answers_channel_by_channel(make, inputs, spatial, seed):
    layer = sparse(make, seed)
    found = space(layer)["weight"]
    answered = torch.tensor(reach(layer, inputs, max(spatial, 0) if spatial else 0))
    assert torch.equal(found.matrix().clamp(min=0), answered)
    assert found.per_input.tolist() == answered.sum(1).tolist()
    assert found.per_output.tolist() == answered.sum(0).tolist()
    assert found.live == int(layer.weight.count_nonzero())
    assert found.size == layer.weight.numel()
    assert int((found.matrix() == -1).sum()) == found.matrix().numel() - found.counts.numel()
    by_mask = space(make(), {"weight": layer.weight != 0})["weight"]
    assert torch.equal(by_mask.counts, found.counts)


def test_a_convolution_by_hand():
    layer = nn.Conv2d(2, 3, 2, bias=False)
    weight = torch.zeros(3, 2, 2, 2)
    weight[0, 0] = torch.tensor([[1.0, 2.0], [0.0, -3.0]])  # filter 0 reads channel 0 with three weights
    weight[2, 0, 0, 0] = 1
    with torch.no_grad():
        layer.weight.copy_(weight)
    found = space(layer)["weight"]
    assert found.matrix().tolist() == [[3, 0, 1], [0, 0, 0]]
    assert found.dead_inputs == [1]
    assert found.dead_filters == [1]
    row = found.row()
    assert (row["live"], row["kernel"], row["density"]) == (4, 4, 4 / 24)
    assert (row["empty_kernels"], row["dead_input_share"], row["dead_filter_share"]) == (4 / 6, 1 / 2, 1 / 3)
    assert (row["input_gini"], row["output_gini"]) == pytest.approx((1 / 2, (2 * 3 + 2 * 1 + 2 * 2) / (2 * 3 * 4)))
    expected = {"gini": expected_gini, "evenness": expected_evenness}
    for measure, function in expected.items():  # two inputs of 12 weights each, three outputs of 8
        assert row[f"input_expected_{measure}"] == function(2, 12, 4)
        assert row[f"output_expected_{measure}"] == function(3, 8, 4)


def test_masks_say_what_lives_zero_weights_do_not():
    model = network()
    with torch.no_grad():
        model[0].weight.zero_()
        model[6].weight[0].zero_()
    assert [layer.live for layer in space(model).values()] == [0, 36 * 2]
    born = space(model, {"0.weight": torch.ones(4, 2, 3, 3) > 0, "1.weight": torch.ones(4) > 0})
    assert born["0.weight"].live == 72
    assert born["6.weight"].live == 36 * 3  # without a mask all are alive
    assert list(born) == ["0.weight", "6.weight"]


def test_every_layer_with_channels_is_there_once():
    assert list(space(convnet())) == ["0.weight", "3.weight", "4.weight", "7.weight"]
    assert list(space(nn.DataParallel(convnet()))) == list(space(convnet()))
    assert list(space(tied())) == ["mix.weight", "read.weight"]
    attention = space(nn.MultiheadAttention(4, 2))
    assert {name: tuple(layer.matrix().shape) for name, layer in attention.items()} == {
        "in_proj_weight": (4, 12),
        "out_proj.weight": (4, 4),
    }
    assert "q_proj_weight" in space(nn.MultiheadAttention(4, 2, kdim=3, vdim=5))


def test_a_layer_pruned_by_torch():
    model = nn.Sequential(nn.Linear(4, 4))
    prune.custom_from_mask(model[0], "weight", torch.eye(4))
    assert space(model)["0.weight"].matrix().tolist() == torch.eye(4).tolist()


def test_rows_are_plain_also_of_a_layer_without_live_weights():
    layer = nn.Linear(3, 2)
    rows = space_rows(space(layer, {"weight": torch.zeros(2, 3) > 0}))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[0]["input_gini"] is None
    assert rows[0]["output_expected_evenness"] is None
    assert (rows[0]["dead_filters"], rows[0]["dead_inputs"]) == (2, 3)


def test_random_masks_are_as_concentrated_as_expected_and_structured_ones_more():
    stream = torch.Generator().manual_seed(0)
    layer = nn.Conv2d(64, 64, 3, bias=False)
    random = torch.rand(layer.weight.shape, generator=stream) < 0.1
    channels = torch.rand(64, 1, 1, 1, generator=stream) < 0.1
    row = space(layer, {"weight": random})["weight"].row()
    assert row["output_gini"] == pytest.approx(row["output_expected_gini"], rel=0.2)
    assert row["input_evenness"] == pytest.approx(row["input_expected_evenness"], abs=0.001)
    row = space(layer, {"weight": channels.expand_as(layer.weight)})["weight"].row()
    assert row["output_gini"] > 5 * row["output_expected_gini"]
    assert row["input_gini"] == 0


@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=12).filter(any))
@settings(max_examples=60, deadline=None)
def test_concentration_is_that_of_its_definition(counts):
    assert gini(torch.tensor(counts)) == pytest.approx(reference.gini(counts), abs=1e-12)
    if len(counts) > 1:
        assert evenness(torch.tensor(counts)) == pytest.approx(reference.evenness(counts), abs=1e-12)
        assert 0 <= evenness(torch.tensor(counts)) <= 1 + 1e-12
    assert 0 <= gini(torch.tensor(counts)) < 1


@pytest.mark.parametrize(("channels", "size"), [(2, 1), (2, 3), (3, 2), (4, 3), (5, 2), (3, 4), (6, 1)])
def test_expected_concentration_is_the_mean_over_all_masks(channels, size):
    for live in range(1, channels * size + 1):
        given_sizes = channels, size, live
        assert expected_gini(*given_sizes) == pytest.approx(reference.over_all_masks(reference.gini, *given_sizes))
        mean = reference.over_all_masks(reference.evenness, *given_sizes)
        assert expected_evenness(*given_sizes) == pytest.approx(mean)


@pytest.mark.parametrize(("channels", "size", "live"), [(512, 4608, 118_000), (25_088, 4096, 10_276_045)])
def test_expected_concentration_of_large_layers_is_that_of_a_normal_law(channels, size, live):
    """Counts are nearly normal there: E|x₁ - x₂| = 2σ/√π, and entropy is 1 - σ²/(2 μ² log n)."""
    mean, share = live / channels, live / (channels * size)
    spread = math.sqrt(mean * (1 - share) * (1 - 1 / channels))
    assert expected_gini(channels, size, live) == pytest.approx(spread / mean / math.sqrt(math.pi), rel=0.01)
    assert 1 - expected_evenness(channels, size, live) == pytest.approx(
        spread**2 / (2 * mean**2 * math.log(channels)), rel=0.05
    )


def test_one_channel_and_no_weight():
    assert (gini(torch.tensor([3])), evenness(torch.tensor([3]))) == (0, 1)
    assert (expected_gini(1, 9, 4), expected_evenness(1, 9, 4)) == (0, 1)
    nothing = [gini(torch.zeros(3)), evenness(torch.zeros(3)), expected_gini(3, 2, 0), expected_evenness(3, 2, 0)]
    assert all(math.isnan(value) for value in nothing)


def test_the_model_is_left_as_found():
    model = network()
    with left_as_found(model):
        space_rows(space(model))


def test_what_is_refused():
    with pytest.raises(SettingError, match="expected a model with a convolution or linear layer, got none"):
        space(nn.BatchNorm2d(3))
    with pytest.raises(StateError, match=r"expected a mask of shape \(2, 3\) for 'weight', got \(3, 2\)"):
        space(nn.Linear(3, 2), {"weight": torch.ones(3, 2) > 0})
    with pytest.raises(StateError, match="expected a bool mask for 'weight'"):
        space(nn.Linear(3, 2), {"weight": torch.ones(2, 3)})
