import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from gossamer import GMP, NM
from gossamer.core.distribution import DISTRIBUTIONS, live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import live
from gossamer.core.named import shapes
from tests.layers import parameters, stream, walk
from tests.reference import gmp as reference

scopes = st.sampled_from(["global", "layer"])


def method(**settings):
    return GMP(**{"sparsity": 0.7, "total_steps": 100, "every": 5, **settings})


def lists(masks):
    return {name: mask.reshape(-1).tolist() for name, mask in masks.items()}


def random_start(params, seed):
    draws = stream(seed)
    return {name: torch.rand(weight.shape, generator=draws) < 0.95 for name, weight in params.items()}


@pytest.mark.parametrize("seed", range(50))
def test_global_pruning_agrees_with_killing_the_smallest_one_by_one(seed):
    gmp, params = method(), parameters(seed)
    masks, step = random_start(params, seed), 15 + seed
    pruned = gmp.rewire(step, masks, params, {}, stream(seed))
    weights = {name: weight.detach().reshape(-1).tolist() for name, weight in params.items()}
    count = live_weights(shapes(params), gmp.target(step))
    assert lists(pruned) == reference.prune_globally(weights, lists(masks), min(count, live(masks)))


@pytest.mark.parametrize("seed", range(50))
def test_layer_pruning_agrees_with_killing_the_smallest_of_each_layer_one_by_one(seed):
    gmp, params = method(scope="layer"), parameters(seed)
    masks, step = {name: weight == weight for name, weight in params.items()}, 15 + seed
    pruned = gmp.rewire(step, masks, params, {}, stream(seed))
    assert live(pruned) == live_weights(shapes(params), gmp.target(step))
    for name, weight in params.items():
        count = int(pruned[name].sum())
        assert abs(count - (1 - gmp.target(step)) * weight.numel()) <= 1
        alone = {name: weight.detach().reshape(-1).tolist()}
        assert lists({name: pruned[name]}) == reference.prune_globally(alone, lists({name: masks[name]}), count)


def test_two_layers_by_hand():
    params = {"a": torch.nn.Parameter(torch.tensor([[0.1, -4.0]])), "b": torch.nn.Parameter(torch.tensor([[0.2, 0.3]]))}
    everyone = {name: weight == weight for name, weight in params.items()}
    half = {"sparsity": 0.5, "every": 1, "begin": 0.1, "end": 0.5}
    assert lists(method(**half).rewire(50, everyone, params, {}, stream(0))) == {"a": [False, True], "b": [False, True]}
    params["b"].data.mul_(-0.1)
    assert lists(method(**half).rewire(50, everyone, params, {}, stream(0))) == {"a": [True, True], "b": [False, False]}
    layerwise = method(**half, scope="layer").rewire(50, everyone, params, {}, stream(0))
    assert lists(layerwise) == {"a": [False, True], "b": [False, True]}


@given(st.floats(0, 0.999), st.integers(2, 40), st.integers(1, 12), st.floats(0, 1), st.floats(0, 1), scopes, st.data())
@example(0.9, 10, 1, 1.0, 1.0, "global", None)
@example(0.9, 2, 1, 0.1, 0.8, "layer", None)
def test_the_number_is_the_promised_one_at_every_step_and_the_dead_stay_dead(
    sparsity, total, every, one, other, scope, data
):
    title = data.draw(st.sampled_from(sorted(DISTRIBUTIONS))) if data else "uniform"
    begin, end = sorted((one, other))
    gmp = GMP(sparsity=sparsity, total_steps=total, every=every, begin=begin, end=end, scope=scope, distribution=title)
    params, before = parameters(total), None
    for step, masks in walk(gmp, params, total):
        assert live(masks) == live_weights(shapes(params), gmp.target(step))
        assert before is None or all(not (masks[name] & ~before[name]).any() for name in params)
        before = masks
    assert live(masks) == live_weights(shapes(params), sparsity)


@given(st.integers(2, 400), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1))
def test_the_target_agrees_with_walking_up_the_schedule(total, every, one, other):
    begin, end = sorted((one, other))
    gmp = GMP(sparsity=0.9, total_steps=total, every=every, begin=begin, end=end)
    assert gmp.last < total
    for step in range(0, total, max(1, total // 9)):
        assert gmp.target(step) == pytest.approx(reference.sparsity(step, 0.9, gmp.first, gmp.last, every), abs=1e-12)
        assert gmp.target(step + 1) >= gmp.target(step)
        assert gmp.target(step) == gmp.target(step - 1) or gmp.due(step) or step == 0


def test_the_schedule_is_that_of_the_paper():
    gmp = GMP(sparsity=0.9, total_steps=200 * 391)
    moments = [step for step in range(gmp.total_steps) if gmp.due(step)]
    assert (moments[0], moments[-1], len(moments)) == (20 * 391, 160 * 391, 36)  # every 4 epochs, 20 to 160
    assert gmp.target(160 * 391) == 0.9
    assert gmp.target(160 * 391 - 1) == pytest.approx(0.9 * (1 - (4 / 140) ** 3))


def test_the_mnist_schedule_of_the_third_paper_prunes_each_layer_alike():
    gmp = GMP(sparsity=0.95, total_steps=11_719, scope="layer", begin=3000 / 11_719, end=7000 / 11_719, every=100)
    assert (gmp.first, gmp.last) == (3000, 7000)
    params = parameters(0, ((20, 30), (50, 20)))
    masks = {name: weight == weight for name, weight in params.items()}
    pruned = gmp.rewire(7000, masks, params, {}, stream(0))
    assert [int(mask.sum()) for mask in pruned.values()] == [30, 50]


def test_equal_weights_are_pruned_to_the_exact_number():
    params = {"w": torch.nn.Parameter(torch.full((10, 10), 0.5))}
    everyone = {"w": torch.ones(10, 10) > 0}
    for scope in ("global", "layer"):
        assert live(method(scope=scope, sparsity=0.3).rewire(80, everyone, params, {}, stream(0))) == 70


# --- dense layers and floors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_layers_kept_dense_stay_dense_and_the_others_carry_their_zeros(scope):
    gmp, params = method(dense=("0.weight",), scope=scope), parameters(0)
    for step, masks in walk(gmp, params):
        assert masks["0.weight"].all()
        assert live(masks) == live_weights(shapes(params), gmp.target(step))


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_network_of_dense_layers_alone_goes_through(scope):
    gmp, params = method(sparsity=0.0, dense=("0.weight", "1.weight"), scope=scope), parameters(0, ((3, 4), (2, 3)))
    for _, masks in walk(gmp, params):
        assert live(masks) == 18


def test_a_floor_keeps_a_layer_alive_that_would_collapse():
    params = parameters(0, ((4, 5), (10, 10)))
    params["0.weight"].data.mul_(1e-6)
    everyone = {name: weight == weight for name, weight in params.items()}
    collapsed = method(sparsity=0.9).rewire(80, everyone, params, {}, stream(0))
    kept = method(sparsity=0.9, floor=3).rewire(80, everyone, params, {}, stream(0))
    assert [int(mask.sum()) for mask in collapsed.values()] == [0, 12]
    assert [int(mask.sum()) for mask in kept.values()] == [3, 9]
    assert kept["0.weight"].reshape(-1)[params["0.weight"].abs().reshape(-1).topk(3).indices].all()


def test_a_floor_that_cannot_be_met_is_refused_before_the_training():
    with pytest.raises(SettingError, match=r"floor"):
        method(sparsity=0.9, floor=50).masks(parameters(0, ((10, 10), (10, 10))), stream(0))


def test_a_negative_floor_is_refused():
    with pytest.raises(SettingError, match=r"floor"):
        method(floor=-1)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(
        SettingError, match=r"expected scope='global' or 'layer', got 'layers'; P1 is global, P3 by lay"
    ):
        method(scope="layers")
    with pytest.raises(SettingError, match=r"expected begin ≤ end, got begin=0\.9, end=0\.8; swap them"):
        method(begin=0.9)
    with pytest.raises(SettingError, match=r"gradual pruning starts dense; use RigL"):
        method(pattern=NM(2, 4))
    with pytest.raises(SettingError, match=r"expected total_steps ≥ 2 for GMP, got 1"):
        method(total_steps=1)
    for name in ("begin", "end"):
        with pytest.raises(SettingError, match=rf"expected {name} in \[0, 1\], got 1\.5"):
            method(**{name: 1.5})
