import pytest
import torch

from gossamer import SET, rewire
from gossamer.core.errors import SettingError
from tests.layers import gradients, layer, parameters, stream, walk
from tests.reference import set as reference


def method(**settings):
    return SET(**{"sparsity": 0.7, "total_steps": 100, "every": 5, **settings})


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("drop_by", ["signed", "magnitude"])
def test_the_dropped_agree_with_the_weight_by_weight_twin(seed, drop_by):
    weight, mask, _, draws = layer(seed)
    fraction = float(torch.rand((), generator=draws))
    kept = method(drop_by=drop_by).drop(weight, mask, fraction, draws)
    twin = reference.drop_signed if drop_by == "signed" else reference.drop_magnitude
    assert kept.reshape(-1).tolist() == twin(weight.reshape(-1).tolist(), mask.reshape(-1).tolist(), fraction)


@pytest.mark.parametrize("seed", range(50))
def test_the_dropped_agree_with_the_released_code_but_for_one_rounded_weight_a_side(seed):
    weight = torch.randn(200, generator=stream(seed)) * (torch.rand(200, generator=stream(seed + 99)) < 0.4)
    kept = rewire.drop_signed(weight, weight != 0, 0.2, stream(0))
    released = torch.tensor(reference.drop_signed_as_released(weight.tolist(), 0.2))
    assert not (released & ~kept).any()
    for side in (weight > 0, weight < 0):
        assert int((kept & ~released & side).sum()) <= 1


def test_four_weights_by_hand_signed():
    w, alive = torch.tensor([0.1, 0.2, -0.3, -4.0]), torch.tensor([1, 1, 1, 1]) > 0
    # half of the positive: .1; half of the negative: -.3, the largest
    assert method().drop(w, alive, 0.5, stream(0)).tolist() == [False, True, False, True]


def test_four_weights_by_hand_magnitude():
    w, alive = torch.tensor([0.1, 0.2, -0.3, -4.0]), torch.tensor([1, 1, 1, 1]) > 0
    assert method(drop_by="magnitude").drop(w, alive, 0.5, stream(0)).tolist() == [False, False, True, True]


@pytest.mark.parametrize("seed", range(50))
def test_a_rewiring_keeps_the_survivors_and_the_number_of_each_layer(seed):
    set_, params = method(), parameters(seed)
    masks = set_.masks(params, stream(seed))
    changed = set_.rewire(5, masks, params, gradients(params, seed), stream(seed))
    for name, mask in masks.items():
        weight = params[name].detach() * mask
        survivors = set_.drop(weight, mask, set_.drop_fraction(5), stream(seed))
        assert changed[name][survivors].all()
        assert int(changed[name].sum()) == int(mask.sum())


def test_growth_is_random_among_all_that_are_dead_the_just_dropped_included():
    set_, weight = method(fraction=0.5, drop_by="magnitude"), torch.tensor([[5.0, 4.0, 0.2, 0.1, 0, 0, 0, 0]])
    params = {"w": torch.nn.Parameter(weight)}
    alive = {"w": weight != 0}
    born = sum(set_.rewire(0, alive, params, {"w": weight}, stream(seed))["w"][0].float() for seed in range(1200))
    assert born[:2].tolist() == [1200, 1200]
    # two of six are drawn: 400 of 1200 each, standard deviation √(1200·⅓·⅔) = 16.3: 5 of them
    assert ((born[2:] - 400).abs() < 82).all()


def test_the_seed_decides_what_is_born():
    params = parameters(0)
    masks = method().masks(params, stream(0))
    runs = [method().rewire(5, masks, params, gradients(params, 0), stream(seed)) for seed in (0, 0, 1)]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in params)
    assert any(not torch.equal(runs[0][name], runs[2][name]) for name in params)


def test_layers_keep_their_numbers_through_a_whole_training():
    numbers = {tuple(int(mask.sum()) for mask in masks.values()) for _, masks in walk(method(every=1), parameters(1))}
    assert len(numbers) == 1


def test_the_interval_and_the_death_rate_are_those_of_the_paper():
    set_ = SET(sparsity=0.8, total_steps=200 * 391)  # 200 epochs of CIFAR in batches of 128
    assert set_.interval == 4 * 391
    assert sum(set_.due(step) for step in range(set_.total_steps)) == 49  # at 4, 8, ... 196 epochs
    assert (set_.drop_fraction(0), set_.drop_fraction(set_.total_steps)) == (0.2, 0.001)
    assert set_.drop_fraction(100 * 391) == pytest.approx((0.2 + 0.001) / 2)


def test_dense_layers_stay_dense():
    for _, masks in walk(method(dense=("0.weight",)), parameters(2)):
        assert masks["0.weight"].all()


def test_an_unknown_way_to_drop_is_refused():
    with pytest.raises(SettingError, match=r"expected drop_by='signed' or 'magnitude', got 'random'; P1 has 'signed'"):
        method(drop_by="random")


@pytest.mark.parametrize("name", ["fraction", "fraction_end", "stop"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_shares_outside_their_range_are_refused(name, value):
    with pytest.raises(SettingError, match=rf"expected {name} in \[0, 1\], got {value}; it is a share, such as 0\.3"):
        method(**{name: value})


def test_an_interval_below_one_is_refused():
    with pytest.raises(SettingError, match=r"at least 1 step, got 0; pass every=1 or more"):
        method(every=0)


@pytest.mark.parametrize("name", ["every", "total_steps"])
@pytest.mark.parametrize("value", [2.5, float("nan"), float("inf")])
def test_steps_are_whole_numbers(name, value):
    with pytest.raises(SettingError, match=r"whole number"):
        method(**{name: value})
