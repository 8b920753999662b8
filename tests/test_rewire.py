import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import rewire
from gossamer.core.errors import StateError
from tests.choices import DTYPES, EVERYONE, NAN, assert_good_choice, indices
from tests.layers import layer, stream

# --- drop --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_drop_smallest_agrees_with_killing_one_by_one(seed):
    weight, mask, _, draws = layer(seed)
    for count in range(int(mask.sum()) + 1):
        kept = rewire.drop_smallest(weight, mask, count, draws)
        left = indices(mask)
        for _ in range(count):
            left.remove(min(left, key=lambda place: abs(weight.reshape(-1)[place].item())))
        assert indices(kept) == left


def test_drop_smallest_by_hand():
    weight, mask = torch.tensor([0.1, -9.0, 0.0, 3.0]), torch.tensor([1, 1, 0, 1]) > 0
    assert rewire.drop_smallest(weight, mask, 2, stream(0)).tolist() == [False, True, False, False]


def test_drop_smallest_refuses_more_than_live():
    with pytest.raises(StateError, match=r"at most the 1 live weights, got 2; lower the drop fraction"):
        rewire.drop_smallest(torch.ones(4), torch.tensor([1, 0, 0, 0]) > 0, 2, stream(0))


def test_a_live_weight_that_is_nan_never_dies_in_silence():
    weight = torch.tensor([NAN, 1.0, 2.0, -3.0])
    with pytest.raises(StateError, match=r"NaN"):
        rewire.drop_smallest(weight, EVERYONE, 1, stream(0))
    with pytest.raises(StateError, match=r"NaN"):
        rewire.drop_signed(weight, EVERYONE, 0.4, stream(0))


def test_drop_signed_counts_each_side_of_202_positive_and_203_negative_weights():
    # the usual code dropped 61 positive ones and kept only 60 negative ones when it was asked for 30 % of each
    weight = torch.cat([torch.rand(202, generator=stream(0)) + 0.1, -torch.rand(203, generator=stream(1)) - 0.1])
    kept = rewire.drop_signed(weight, torch.ones(405) > 0, 0.3, stream(0))
    assert (int(kept[:202].sum()), int(kept[202:].sum())) == (202 - 61, 203 - 61)


def test_a_live_zero_counts_as_positive_and_dies_first():
    weight = torch.tensor([0.0, -0.0, 5.0, 6.0, -7.0, -8.0])
    kept = rewire.drop_signed(weight, torch.ones(6) > 0, 0.5, stream(0))
    assert kept.tolist() == [False, False, True, True, False, True]


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_drop_signed_at_the_ends_of_its_range(fraction):
    weight, mask, _, draws = layer(3)
    expected = mask if fraction == 0 else torch.zeros_like(mask)
    assert torch.equal(rewire.drop_signed(weight, mask, fraction, draws), expected)


# --- grow --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
def test_grow_largest_agrees_with_taking_the_best_dead_one_by_one(seed):
    _, mask, grad, draws = layer(seed)
    for count in range(int((~mask).sum()) + 1):
        grown = rewire.grow_largest(grad.abs(), mask, count, draws)
        assert (grown & mask).equal(mask)
        assert_good_choice(grown & ~mask, grad.abs(), ~mask, count)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_with_all_zero_gradients_exactly_300_dead_weights_are_born(dtype):
    mask = torch.arange(2000).reshape(40, 50) < 1000
    grown = rewire.grow_largest(torch.zeros(40, 50, dtype=dtype), mask, 300, stream(0))
    assert int(grown.sum()) == 1300
    assert grown[mask].all()


def test_growth_where_gradients_are_zero_is_random_not_the_first_ones():
    mask = torch.zeros(1000, dtype=torch.bool)
    born = rewire.grow_largest(torch.zeros(1000), mask, 500, stream(0)).nonzero()[:, 0].float()
    # mean place of 500 random of 1000: 499.5 ± 5·√(1000·1001/12 · 500/1000/500) = 5 · 9.1
    assert abs(float(born.mean()) - 499.5) < 46


def test_grow_largest_refuses_more_than_are_dead():
    with pytest.raises(StateError, match=r"expected at least 3 candidates .* got 2"):
        rewire.grow_largest(torch.ones(4), torch.tensor([1, 1, 0, 0]) > 0, 3, stream(0))


@given(st.integers(1, 60), st.floats(0, 1), st.integers(0, 99), st.data())
def test_grow_random_is_exact_and_keeps_the_living(size, share, seed, data):
    mask = torch.rand(size, generator=stream(seed)) < share
    count = data.draw(st.integers(0, int((~mask).sum())))
    grown = rewire.grow_random(mask, count, stream(seed))
    assert int(grown.sum()) == int(mask.sum()) + count
    assert grown[mask].all()


def test_grow_random_gives_every_dead_weight_the_same_chance():
    mask, draws = torch.arange(20) < 10, stream(0)
    born = sum(rewire.grow_random(mask, 4, draws).float() for _ in range(2000))[10:]
    # 800 of 2000 each, standard deviation √(2000·.4·.6) = 21.9: 5 of them
    assert ((born - 800).abs() < 110).all()


def test_the_seed_decides_growth():
    mask = torch.zeros(50, dtype=torch.bool)
    draws = [rewire.grow_random(mask, 20, stream(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_scatter_places_the_given_numbers():
    params = {"a": torch.zeros(4, 5), "b": torch.zeros(3, 2, 2, 2), "c": torch.zeros(1, 1)}
    masks = rewire.scatter(params, {"a": 7, "b": 24, "c": 0}, stream(0))
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"a": 7, "b": 24, "c": 0}
    assert all(masks[name].shape == params[name].shape for name in params)
