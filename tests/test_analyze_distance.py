import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.analyze.landscape.distance import cosine, distance, l2, layer_distances, pairwise_distances
from gossamer.core.errors import SettingError, StateError, UnknownNameError
from tests import networks
from tests.reference import landscape as reference
from tests.test_analyze_interpolate import random_masks

TWINS = {"l2": reference.l2, "cosine": reference.cosine}


def parameters(model: nn.Module, masks: dict | None = None) -> list[float]:
    masks = masks or {}
    return [
        value for name, param in model.named_parameters() for value in (param * masks.get(name, 1)).flatten().tolist()
    ]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["l2", "cosine"]), st.booleans())
def test_distances_agree_with_a_plain_loop(seed: int, kind: str, masked: bool):
    first, second = networks.convnet(seed), networks.convnet(seed + 1)
    masks = [random_masks(first, seed), random_masks(first, seed + 1)] if masked else None
    expected = TWINS[kind](parameters(first, masks and masks[0]), parameters(second, masks and masks[1]))
    assert distance(networks.convnet(), first, second, kind=kind, masks=masks) == pytest.approx(expected, rel=1e-5)


def test_a_distance_by_hand():
    model = nn.Linear(2, 1)
    first = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([2.0])}
    second = {"weight": torch.tensor([[1.0, 0.0]]), "bias": torch.tensor([0.0])}
    assert distance(model, first, second) == pytest.approx(math.sqrt(8))
    assert distance(model, first, second, kind="cosine") == pytest.approx(1 - 1 / 3)
    assert layer_distances(model, first, second) == {"weight": 2.0, "bias": 2.0}


def test_only_live_weights_and_what_has_no_mask_count():
    model = nn.Linear(2, 1)
    mask = {"weight": torch.tensor([[True, False]])}
    first = {"weight": torch.tensor([[4.0, float("nan")]]), "bias": torch.tensor([3.0])}
    second = {"weight": torch.tensor([[0.0, 1e9]]), "bias": torch.tensor([0.0])}
    assert distance(model, first, second, masks=mask) == 5.0
    assert distance(model, second, second, masks=mask) == 0.0


def test_where_only_one_of_two_is_alive_it_counts():
    model = nn.Linear(2, 1, bias=False)
    ones = {"weight": torch.ones(1, 2)}
    masks = [{"weight": torch.tensor([[True, False]])}, {"weight": torch.tensor([[False, True]])}]
    assert distance(model, ones, ones, masks=masks) == pytest.approx(math.sqrt(2))
    assert distance(model, ones, ones, masks=masks, kind="cosine") == 1.0


def test_statistics_and_frozen_parameters_do_not_count():
    model, other = networks.convnet(), networks.convnet()
    other[1].running_mean.fill_(9.0)
    with torch.no_grad():
        other[7].bias.add_(1.0)
    assert distance(model, model, other) == pytest.approx(math.sqrt(10))
    model[7].bias.requires_grad_(False)
    assert distance(model, model, other) == 0.0


def test_layers_add_up_to_the_whole_and_a_tied_weight_counts_once():
    model, first, second = networks.tied(0), networks.tied(1), networks.tied(2)
    layers = layer_distances(model, first, second)
    assert list(layers) == ["read.weight", "mix.weight", "mix.bias"]
    assert math.hypot(*layers.values()) == pytest.approx(distance(model, first, second))


def test_directions_of_zeros():
    zero, one = torch.zeros(2), torch.ones(2)
    assert (cosine(zero, zero), cosine(zero, one), cosine(one, 3 * one), cosine(one, -one)) == pytest.approx(
        (0, 1, 0, 2)
    )
    model = nn.Linear(1, 1)
    states = [{"weight": torch.tensor([[value]]), "bias": torch.zeros(1)} for value in (1.0, 2.0)]
    assert layer_distances(model, *states, kind="cosine") == {"weight": 0.0, "bias": 0.0}


def test_close_float32_vectors_keep_their_digits():
    first = torch.full((100_000,), 1.0)
    assert l2(first, first + 2**-20) == pytest.approx(math.sqrt(100_000) * 2**-20, rel=1e-12)


@pytest.mark.parametrize("kind", ["l2", "cosine"])
def test_the_matrix_holds_every_pair(kind: str):
    model, states = networks.mlp(), [networks.mlp(seed) for seed in range(4)]
    masks = [random_masks(model, seed) for seed in range(4)]
    found = pairwise_distances(model, states, kind=kind, masks=masks)
    for i in range(4):
        for j in range(4):
            expected = distance(model, states[i], states[j], kind=kind, masks=[masks[i], masks[j]])
            assert float(found[i, j]) == pytest.approx(expected, abs=1e-12)
    assert found.dtype == torch.float64
    assert torch.equal(found, found.T)
    assert not found.diagonal().any()


def test_models_are_left_as_found():
    model, other = networks.mlp(0), networks.mlp(1)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    pairwise_distances(model, [model, other], masks=random_masks(model, 0))
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())
    assert all(p.grad is None for p in [*model.parameters(), *other.parameters()])


@pytest.mark.parametrize("kind", ["l2", "cosine"])
def test_networks_that_diverged_are_refused(kind: str):
    model, diverged = networks.mlp(), networks.mlp(1)
    with torch.no_grad():
        diverged[2].bias[0] = torch.nan
    with pytest.raises(StateError, match=r"expected finite weights, got others in the states \[1\]"):
        pairwise_distances(model, [model, diverged, model], kind=kind)


def test_another_kind_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown distance 'l1'; did you mean 'l2'"):
        distance(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), kind="l1")


def test_one_state_has_no_distances():
    with pytest.raises(SettingError, match="two states or more to measure distances between, got 1"):
        pairwise_distances(nn.Linear(1, 1), [nn.Linear(1, 1)])


def test_masks_for_another_number_of_states_are_refused():
    with pytest.raises(SettingError, match="masks for all states or one each of 3, got a list of 1"):
        pairwise_distances(nn.Linear(1, 1), [nn.Linear(1, 1)] * 3, masks=[None])


def test_other_architectures_are_refused():
    with pytest.raises(StateError, match="only states of one architecture"):
        distance(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(2, 1))
