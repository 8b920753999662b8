import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import NM, Deviations, GraNet
from gossamer.core.distribution import live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import live
from gossamer.core.named import shapes
from tests.layers import gradients, parameters, stream, walk
from tests.reference import gmp
from tests.reference import granet as reference


def method(**settings):
    return GraNet(**{"sparsity": 0.7, "total_steps": 100, "every": 5, **settings})


def flat(tensors):
    return {name: tensor.detach().reshape(-1).tolist() for name, tensor in tensors.items()}


def case(seed):
    """Weights, half-dense masks and gradients in the middle of a training."""
    params = parameters(seed)
    masks = method().masks(params, stream(seed))
    return params, masks, gradients(params, seed + 100)


@pytest.mark.parametrize("seed", range(50))
def test_gradient_growth_agrees_with_the_weight_by_weight_twin(seed):
    params, masks, grads = case(seed)
    granet, step = method(), 5 + seed
    changed = granet.rewire(step, masks, params, grads, stream(seed))
    count = live_weights(shapes(params), granet.target(step))
    expected = reference.rewire(flat(params), flat(masks), flat(grads), count, granet.drop_fraction(step))
    assert flat(changed) == expected


@pytest.mark.parametrize("seed", range(50))
def test_random_growth_keeps_the_twins_survivors_and_the_number(seed):
    params, masks, grads = case(seed)
    granet, step = method(grow_by="random"), 5 + seed
    changed = granet.rewire(step, masks, params, grads, stream(seed))
    count = live_weights(shapes(params), granet.target(step))
    pruned = gmp.prune_globally(flat(params), flat(masks), count)
    assert live(changed) == count
    for name, weight in params.items():
        assert int(changed[name].sum()) == sum(pruned[name])
        dying = round(granet.drop_fraction(step) * sum(pruned[name]))
        order = sorted(
            (i for i, alive in enumerate(pruned[name]) if alive), key=lambda i: abs(weight.reshape(-1)[i].item())
        )
        survivors = order[dying:]
        assert changed[name].reshape(-1)[survivors].all()


def test_two_layers_by_hand():
    # 8 weights, 7 alive, half of them asked: the smallest three of both layers die: .1 and .2 of a, .3 of b.
    # f = .5 of 2 live ones: in each layer the smaller one dies and the largest gradient among the dead is born
    granet = method(sparsity=0.5, every=1, prune_end=0.5, fraction=0.5, fraction_end=0.5)
    params = {
        "a": torch.nn.Parameter(torch.tensor([[0.1, 0.2, 4.0, -5.0]])),
        "b": torch.nn.Parameter(torch.tensor([[0.3, 7.0, -6.0, 0.0]])),
    }
    masks = {"a": torch.tensor([[1, 1, 1, 1]]) > 0, "b": torch.tensor([[1, 1, 1, 0]]) > 0}
    grads = {"a": torch.tensor([[1.0, -2.0, 0.0, 9.0]]), "b": torch.tensor([[0.0, 0.0, 0.0, 3.0]])}
    changed = granet.rewire(50, masks, params, grads, stream(0))
    assert flat(changed) == {"a": [False, True, False, True], "b": [False, True, False, True]}


@given(
    st.floats(0, 0.999),
    st.integers(2, 40),
    st.integers(1, 12),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["random", "gradient"]),
)
def test_the_number_is_the_promised_one_at_every_step_and_exact_at_the_end(
    sparsity, total, every, one, other, initial, grow_by
):
    begin, end = sorted((one, other))
    settings = {"prune_begin": begin, "prune_end": end, "initial_density": initial, "grow_by": grow_by}
    granet = GraNet(sparsity=sparsity, total_steps=total, every=every, **settings)
    params = parameters(total)
    for step, masks in walk(granet, params, total):
        assert live(masks) == live_weights(shapes(params), granet.target(step))
    assert live(masks) == live_weights(shapes(params), sparsity)


@pytest.mark.parametrize("stop", [0.0, 0.2, 0.45])
def test_where_updates_stop_before_pruning_ends_the_promise_waits_for_the_last(stop):
    granet, params = method(stop=stop), parameters(0)
    for step, masks in walk(granet, params):
        assert live(masks) == live_weights(shapes(params), granet.target(step)), step


@given(st.integers(2, 400), st.integers(1, 50), st.floats(0, 1))
def test_the_target_agrees_with_walking_up_the_schedule(total, every, end):
    granet = GraNet(sparsity=0.9, total_steps=total, every=every, prune_end=end)
    assert granet.last < total
    for step in range(0, total, max(1, total // 9)):
        expected = reference.sparsity(step, 1 - 0.8, 0.9, granet.last, every)
        assert granet.target(step) == pytest.approx(expected, abs=1e-12)
        assert granet.target(step) == granet.target(step - 1) or granet.due(step) or step == 0


def test_four_updates_reach_the_target_exactly():
    # stopping one update early: asked .20, got .2046
    granet, params = method(sparsity=0.8, every=25, total_steps=101, prune_end=1.0), parameters(0, ((50, 40),))
    *_, (_, masks) = walk(granet, params)
    assert live(masks) == 400


def test_regeneration_goes_on_after_pruning_has_ended():
    granet = method(grow_by="gradient")
    changes, before = [], None
    for step, masks in walk(granet, parameters(0)):
        if before is not None and any(not torch.equal(masks[name], before[name]) for name in masks):
            changes.append(step)
        before = masks
    assert changes[-1] > 80 > granet.last


def test_the_start_is_never_sparser_than_asked():
    assert method(sparsity=0.1).target(0) == 0.1
    assert method(sparsity=0.9).target(0) == pytest.approx(0.2)


def test_coins_for_the_start_as_in_the_authors_code_do_not_stop_the_first_pruning():
    for seed in range(10):
        granet = method(sparsity=0.2, deviations=Deviations(bernoulli=True))
        params = parameters(seed)
        *_, (_, masks) = walk(granet, params, seed)
        assert 0 < live(masks) <= live_weights(shapes(params), 0.2)


def test_layers_kept_dense_stay_dense_and_the_others_carry_their_zeros():
    granet, params = method(dense=("0.weight",)), parameters(0)
    for step, masks in walk(granet, params):
        assert masks["0.weight"].all()
        assert live(masks) == live_weights(shapes(params), granet.target(step))


def test_a_network_of_dense_layers_alone_goes_through():
    granet, params = method(sparsity=0.0, dense=("0.weight", "1.weight")), parameters(0, ((3, 4), (2, 3)))
    for _, masks in walk(granet, params):
        assert live(masks) == 18


def test_intervals_are_those_of_the_authors_cifar_script():
    granet = GraNet(sparsity=0.9, total_steps=160 * 391)
    assert (granet.interval, granet.last) == (1000, 80 * 391)
    assert (granet.drop_fraction(0), granet.drop_fraction(160 * 391)) == (0.5, 0.005)


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"expected grow_by='gradient' or 'random', got 'momentum'"):
        method(grow_by="momentum")
    with pytest.raises(SettingError, match=r"expected prune_begin ≤ prune_end, got 0\.9, 0\.5; swap"):
        method(prune_begin=0.9)
    with pytest.raises(SettingError, match=r"GraNet starts too dense for it; use RigL"):
        method(pattern=NM(2, 4))
    with pytest.raises(SettingError, match=r"expected total_steps ≥ 2 for GraNet, got 1"):
        method(total_steps=1)
    for name in ("initial_density", "prune_begin", "prune_end"):
        with pytest.raises(SettingError, match=rf"expected {name} in \[0, 1\], got -0\.5"):
            method(**{name: -0.5})
