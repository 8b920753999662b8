import pytest
import torch

from gossamer import NM, P1_RELEASED, SET, Method, Random, Static, Uniform
from gossamer.core.distribution import counts, erk, uniform
from gossamer.core.errors import SettingError, StateError, UnknownNameError
from gossamer.core.masks import live
from gossamer.core.method import SparseMethod, describe, promised
from gossamer.core.named import shapes
from tests.layers import parameters, stream, walk


@pytest.mark.parametrize(("kind", "distribution"), [(Random, erk), (Uniform, uniform)])
@pytest.mark.parametrize("sparsity", [0.0, 0.35, 0.9, 0.98])
def test_random_masks_have_the_numbers_of_their_distribution_and_never_change(kind, distribution, sparsity):
    method, params = kind(sparsity=sparsity, total_steps=20), parameters(0)
    wanted = counts(shapes(params), distribution(shapes(params), sparsity))
    start = method.masks(params, stream(0))
    assert {name: int(mask.sum()) for name, mask in start.items()} == wanted
    for step, masks in walk(method, params):
        assert not method.due(step)
        assert all(torch.equal(masks[name], start[name]) for name in params)


def test_every_position_is_as_likely_as_any_other():
    params = {"w": torch.nn.Parameter(torch.zeros(4, 5))}
    often = sum(Random(sparsity=0.7).masks(params, stream(seed))["w"].float() for seed in range(2000))
    # 600 of 2000 each, standard deviation 20.5: 5 of them
    assert ((often - 600).abs() < 103).all()


def test_static_takes_any_masks_and_moves_none():
    params = parameters(0)
    given = {name: torch.rand(weight.shape, generator=stream(1)) < 0.3 for name, weight in params.items()}
    static = Static(given)
    assert all(torch.equal(mask, given[name]) for name, mask in static.masks(params, stream(0)).items())
    assert static.sparsity == 1 - live(given) / sum(mask.numel() for mask in given.values())
    assert not any(static.due(step) for step in range(100))
    assert static.rewire(5, given, params, {}, stream(0)) is given


def test_static_follows_the_order_of_the_weights_not_of_the_given():
    params = parameters(0, ((2, 2), (3, 3)))
    given = {"1.weight": torch.ones(3, 3) > 0, "0.weight": torch.ones(2, 2) > 0}
    assert list(Static(given).masks(params, stream(0))) == list(params)


def test_static_refuses_no_masks_and_masks_that_do_not_fit():
    with pytest.raises(SettingError, match=r"expected masks by parameter name, got none; AT_INIT\['snip'\]"):
        Static({})
    with pytest.raises(StateError, match=r"expected a mask of shape \(2, 2\) for '0\.weight', got \(3,\)"):
        Static({"0.weight": torch.ones(3) > 0}).masks(parameters(0, ((2, 2),)), stream(0))


@pytest.mark.parametrize(
    "method", [Random(sparsity=0.5), Static({"w": torch.ones(2) > 0}), SET(sparsity=0, total_steps=9)]
)
def test_all_are_methods(method):
    assert isinstance(method, Method)
    assert not isinstance(object(), Method)


# --- what all methods share ------------------------------------------------------------------------------------------


def test_the_target_is_refused_at_the_start_if_it_cannot_be_reached():
    params = parameters(0, ((10, 10), (10, 10)))
    with pytest.raises(
        SettingError, match=r"the dense layers \['0\.weight'\] alone hold 100; lower sparsity to ≤ 0\.5"
    ):
        Random(sparsity=0.8, dense=("0.weight",)).masks(params, stream(0))


def test_an_unknown_distribution_or_dense_layer_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown distribution 'ekr'; did you mean 'er"):
        Random(sparsity=0.5, distribution="ekr")
    with pytest.raises(UnknownNameError, match=r"unknown layer to keep dense '0\.wait'; did you mean '0\.weight'"):
        Random(sparsity=0.5, dense=("0.wait",)).masks(parameters(0), stream(0))


def test_coins_as_in_the_released_code_give_a_random_number_around_the_asked_one():
    params = parameters(0, ((100, 100),))
    method = SET(sparsity=0.8, total_steps=10, deviations=P1_RELEASED)
    numbers = [live(method.masks(params, stream(seed))) for seed in range(20)]
    assert len(set(numbers)) > 10
    # 2000 of 10 000, standard deviation 40: 5 of them
    assert all(abs(number - 2000) < 200 for number in numbers)
    assert promised(method, 0, params) is None


def test_coins_cannot_obey_a_pattern_and_are_refused():
    with pytest.raises(SettingError, match=r"pattern"):
        SET(sparsity=0.5, total_steps=9, pattern=NM(2, 4), deviations=P1_RELEASED)


def test_a_promise_is_a_number_only_where_the_method_makes_one():
    params = parameters(0, ((10, 10),))
    assert promised(SparseMethod(sparsity=0.9, total_steps=1), 0, params) == 10
    assert promised(Static({"0.weight": torch.ones(10, 10) > 0}), 0, params) is None


def test_methods_are_described_by_their_settings_or_their_class():
    class Mine:
        pass

    assert describe(Mine()).endswith("Mine")
    assert "sparsity=0.5" in describe(Random(sparsity=0.5))
    assert describe(Random(sparsity=0.5)) != describe(Uniform(sparsity=0.5))


def test_methods_with_equal_settings_are_equal_and_hash_alike():
    assert Random(sparsity=0.5) == Random(sparsity=0.5) != Random(sparsity=0.6)
    assert hash(Random(sparsity=0.5)) == hash(Random(sparsity=0.5))
