import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import NM, RigL, initialize, rewire
from gossamer.core.distribution import DISTRIBUTIONS, counts
from gossamer.core.errors import SettingError, StateError
from tests.layers import stream
from tests.reference import nm as reference

patterns = st.integers(2, 8).flatmap(lambda m: st.tuples(st.integers(1, m - 1), st.just(m)))
layer_shapes = st.one_of(
    st.tuples(st.integers(1, 5), st.integers(1, 17)),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 3), st.integers(1, 2)),
)


@given(patterns, layer_shapes)
def test_capacity_is_what_a_count_group_by_group_gives(pattern, shape):
    assert NM(*pattern).capacity({"w": shape}) == {"w": reference.capacity(shape, *pattern)}


@given(patterns, layer_shapes, st.integers(0, 99))
def test_a_full_draw_reaches_the_capacity_exactly_and_fits(pattern, shape, seed):
    nobody = torch.zeros(shape, dtype=torch.bool)
    full = rewire.grow_random(nobody, reference.capacity(shape, *pattern), stream(seed), NM(*pattern))
    assert int(full.sum()) == reference.capacity(shape, *pattern)
    assert reference.fits(full, *pattern)
    with pytest.raises(StateError, match=r"expected at least 1 candidates"):
        rewire.grow_random(full, 1, stream(seed), NM(*pattern))


@given(patterns, layer_shapes, st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_growth_never_breaks_the_pattern_nor_kills_nor_miscounts(pattern, shape, seed, start, share):
    capacity = reference.capacity(shape, *pattern)
    draws = stream(seed)
    alive = rewire.grow_random(torch.zeros(shape, dtype=torch.bool), int(start * capacity), draws, NM(*pattern))
    count = int(share * (capacity - int(alive.sum())))
    score = torch.randint(3, shape, generator=draws).float()  # many ties
    for grown in (
        rewire.grow_largest(score, alive, count, draws, NM(*pattern)),
        rewire.grow_random(alive, count, draws, NM(*pattern)),
    ):
        assert reference.fits(grown, *pattern)
        assert grown[alive].all()
        assert int(grown.sum()) == int(alive.sum()) + count


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_growth_agrees_with_taking_the_best_that_fits_one_by_one(seed, dtype):
    draws = stream(seed)
    pattern = NM(*((2, 4), (1, 3), (1, 4), (3, 5))[seed % 4])
    shape = ((3, 10), (2, 7, 2, 2), (4, 4), (1, 13))[seed // 4 % 4]
    capacity = reference.capacity(shape, pattern.n, pattern.m)
    alive = rewire.grow_random(torch.zeros(shape, dtype=torch.bool), capacity // 3, draws, pattern)
    score = torch.randn(shape, generator=draws, dtype=dtype)
    for count in (0, 1, capacity // 2, capacity - capacity // 3):
        grown = rewire.grow_largest(score, alive, count, draws, pattern)
        assert torch.equal(grown, reference.grow(score, alive, count, pattern.n, pattern.m))


def test_two_of_four_by_hand():
    #                       one group of four          one of two
    score = torch.tensor([[9.0, 8.0, 7.0, 6.0, 1.0, 2.0]])
    alive = torch.tensor([[False, False, False, True, False, False]])
    grown = rewire.grow_largest(score, alive, 3, stream(0), NM(2, 4))
    assert grown.tolist() == [[True, False, False, True, True, True]]  # 8 and 7 are full up


def test_scores_that_differ_only_in_float64_decide_within_a_group():
    score = torch.tensor([[1.0, 1.0 + 1e-12, 1.0, 1.0]], dtype=torch.float64)
    nobody = torch.zeros(1, 4, dtype=torch.bool)
    for seed in range(8):
        grown = rewire.grow_largest(score, nobody, 1, stream(seed), NM(1, 4))
        assert grown.tolist() == [[False, True, False, False]]


def test_the_worst_score_still_wins_against_the_padding_of_a_short_group():
    nobody = torch.zeros(1, 3, dtype=torch.bool)
    for seed in range(50):
        grown = rewire.grow_largest(torch.full((1, 3), -math.inf), nobody, 1, stream(seed), NM(1, 4))
        assert int(grown.sum()) == 1


@pytest.mark.parametrize("title", DISTRIBUTIONS)
def test_distributions_stay_within_the_capacity(title):
    shapes = {"a": (8, 8), "b": (32, 16, 3, 3), "c": (10, 6)}
    capacity = NM(2, 4).capacity(shapes)
    for sparsity in (0.5, 0.6, 0.9):
        live = counts(shapes, DISTRIBUTIONS[title](shapes, sparsity, capacity=capacity))
        assert all(live[name] <= capacity[name] for name in shapes)
        assert sum(live.values()) == round((1 - sparsity) * (64 + 4608 + 60))


@pytest.mark.parametrize(("n", "m"), [(0, 4), (4, 4), (5, 4), (-1, 2)])
def test_a_pattern_that_is_none_is_refused(n, m):
    with pytest.raises(SettingError, match=rf"expected 1 ≤ n < m, got {n}:{m}; NM\(2, 4\) keeps 2 of every 4"):
        NM(n, m)


def test_a_method_whose_pattern_cannot_hold_so_many_weights_says_so_at_the_start():
    method = RigL(sparsity=0.4, total_steps=100, pattern=NM(2, 4))
    with pytest.raises(SettingError, match=r"asks ERK for 38 live weights, .* hold only 32; raise sparsity to ≥ 0\.5"):
        method.masks({"w": torch.nn.Parameter(torch.zeros(8, 8))}, stream(0))


def test_a_vector_has_no_inputs_and_is_refused_in_words():
    with pytest.raises(SettingError, match=r"dimension"):
        NM(2, 4).capacity({"bias": (8,)})
    with pytest.raises(SettingError, match=r"dimension"):
        initialize.dense_({"bias": torch.zeros(8)}, {"bias": torch.ones(8) > 0}, stream(0))
