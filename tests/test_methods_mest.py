import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import MEST, NM
from gossamer.core.distribution import counts, live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import live
from gossamer.core.named import shapes
from tests.layers import gradients, parameters, stream, walk
from tests.reference import mest as reference
from tests.reference import nm


def method(**settings):
    return MEST(**{"sparsity": 0.7, "total_steps": 100, "every": 5, **settings})


def flat(tensors):
    return {name: tensor.detach().reshape(-1).tolist() for name, tensor in tensors.items()}


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("gradient_weight", [0.0, 0.5])
@pytest.mark.parametrize("step", [5, 75])
def test_gradient_growth_agrees_with_the_weight_by_weight_twin(seed, gradient_weight, step):
    mest = method(grow_by="gradient", gradient_weight=gradient_weight)
    params = parameters(seed)
    masks, grads = mest.masks(params, stream(seed)), gradients(params, seed + 100)
    asked = counts(shapes(params), mest.densities(params, 0.7))
    bound = counts(shapes(params), mest.densities(params, mest.target(step)))
    changed = flat(mest.rewire(step, masks, params, grads, stream(seed)))
    w, g, m = flat(params), flat(grads), flat(masks)
    for name in params:
        survivors = reference.prune(w[name], g[name], m[name], min(asked[name], bound[name]), gradient_weight)
        assert changed[name] == reference.grow_by_gradient(g[name], survivors, bound[name])


@pytest.mark.parametrize("seed", range(50))
def test_random_growth_keeps_the_twins_survivors_and_reaches_the_bound(seed):
    mest, params = method(), parameters(seed)
    masks, grads = mest.masks(params, stream(seed)), gradients(params, seed + 100)
    asked = counts(shapes(params), mest.densities(params, 0.7))
    bound = counts(shapes(params), mest.densities(params, mest.target(5)))
    changed = mest.rewire(5, masks, params, grads, stream(seed))
    w, g, m = flat(params), flat(grads), flat(masks)
    for name in params:
        survivors = reference.prune(w[name], g[name], m[name], min(asked[name], bound[name]), 0.0)
        assert int(changed[name].sum()) == bound[name]
        assert changed[name].reshape(-1)[torch.tensor(survivors)].all()


def one_layer(w, alive, grad, **settings):
    # 10 weights, sparsity .6: 4 asked, with bound .5 there live 6 in training
    mest = MEST(sparsity=0.6, total_steps=100, every=5, bound=0.5, grow_by="gradient", **settings)
    params, grads = {"w": torch.nn.Parameter(torch.tensor([w]))}, {"w": torch.tensor([grad])}
    masks = {"w": torch.tensor([alive]) > 0}
    return [mest.rewire(step, masks, params, grads, stream(0))["w"][0].int().tolist() for step in (5, 75)]


W = [9.0, -8.0, 7.0, -6.0, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0]
ALIVE = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]


def test_ten_weights_by_hand():
    grad = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 3.0, -4.0, 2.0]
    training, end = one_layer(W, ALIVE, grad)
    assert training == [1, 1, 1, 1, 0, 0, 0, 1, 1, 0]  # .2 and .1 die, gradients 3 and -4 are born
    assert end == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]  # at stop the surplus dies and nothing is born


def test_ten_weights_by_hand_with_the_gradient_in_the_score():
    grad = [0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 0.0, 3.0, -4.0, 2.0]
    _, end = one_layer(W, ALIVE, grad, gradient_weight=1.0)
    assert end == [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]  # |.1| + 7 outlives |-6| + 0


@given(
    st.floats(0, 0.999), st.integers(2, 40), st.integers(1, 12), st.floats(0, 3), st.floats(0, 1), st.integers(0, 50)
)
def test_the_number_is_the_promised_one_at_every_step_and_exact_from_stop_on(sparsity, total, every, bound, stop, seed):
    mest = MEST(sparsity=sparsity, total_steps=total, every=every, bound=bound, stop=stop)
    params = parameters(seed)
    for step, masks in walk(mest, params, seed):
        assert live(masks) == live_weights(shapes(params), mest.target(step))
    assert live(masks) == live_weights(shapes(params), sparsity)


@pytest.mark.parametrize("total", [2, 3, 5, 160, 1601, 62_560])
def test_the_last_rewiring_is_within_the_training(total):
    mest = MEST(sparsity=0.9, total_steps=total)
    moments = [step for step in range(total) if mest.due(step)]
    assert moments[-1] == mest.last < total
    assert mest.target(mest.last) == mest.target(total - 1) == 0.9
    assert mest.target(mest.last - 1) == pytest.approx(0.89)


def test_intervals_are_those_of_the_authors_code():
    mest = MEST(sparsity=0.9, total_steps=160 * 782)
    assert (mest.interval, mest.last) == (5 * 782, 120 * 782)


def test_a_pattern_holds_at_every_step():
    mest, params = method(sparsity=0.8, pattern=NM(2, 4)), parameters(0, ((8, 8), (4, 6, 3, 3)))
    for step, masks in walk(mest, params):
        assert all(nm.fits(mask, 2, 4) for mask in masks.values())
        assert live(masks) == live_weights(shapes(params), mest.target(step))


def test_a_pattern_that_leaves_no_room_for_the_bound_names_the_bound():
    mest = method(sparsity=0.5, pattern=NM(2, 4))
    with pytest.raises(SettingError, match=r"bound"):
        mest.masks(parameters(0, ((10, 12),)), stream(0))
    masks = method(sparsity=0.5, pattern=NM(2, 4), bound=0.0).masks(parameters(0, ((10, 12),)), stream(0))
    assert live(masks) == 60


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"expected grow_by='random' or 'gradient', got 'momentum'"):
        method(grow_by="momentum")
    with pytest.raises(SettingError, match=r"expected bound ≥ 0, got -0\.1; 0\.1 lets a tenth more weights live"):
        method(bound=-0.1)
    with pytest.raises(SettingError, match=r"expected gradient_weight ≥ 0, got -1; 0 is plain magnitude"):
        method(gradient_weight=-1)
    with pytest.raises(SettingError, match=r"expected stop in \[0, 1\], got 2"):
        method(stop=2)
    with pytest.raises(SettingError, match=r"expected total_steps ≥ 2 for MEST, got 1"):
        method(total_steps=1)
    for value in (float("nan"), float("inf")):
        with pytest.raises(SettingError, match=r"expected bound ≥ 0"):
            method(bound=value)
        with pytest.raises(SettingError, match=r"expected gradient_weight ≥ 0"):
            method(gradient_weight=value)
