import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import rewire
from gossamer.core.errors import StateError
from tests.choices import DTYPES, EVERYONE, NAN, assert_good_choice, indices
from tests.layers import layer, stream
from tests.reference import largest as reference

# --- largest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_largest_agrees_with_taking_the_best_one_by_one(seed, dtype):
    draws = stream(seed)
    scores = torch.randint(-4, 5, (6, 7), generator=draws).to(dtype)  # many ties, many zeros
    candidates = torch.rand(6, 7, generator=draws) < 0.6
    for count in range(int(candidates.sum()) + 1):
        assert_good_choice(rewire.largest(scores, candidates, count, draws), scores, candidates, count)


@given(st.lists(st.tuples(st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 1e-40, 2.0, math.inf]), st.booleans())))
def test_largest_is_exact_under_ties_zeros_denormals_and_infinities(pairs):
    scores = torch.tensor([score for score, _ in pairs])
    candidates = torch.tensor([candidate for _, candidate in pairs], dtype=torch.bool)
    for count in range(int(candidates.sum()) + 1):
        assert_good_choice(rewire.largest(scores, candidates, count, stream(0)), scores, candidates, count)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_of_a_thousand_equal_scores_exactly_700_are_taken(value, dtype):
    chosen = rewire.largest(torch.full((10, 100), value, dtype=dtype), torch.ones(10, 100) > 0, 700, stream(0))
    assert int(chosen.sum()) == 700


def test_equal_scores_are_decided_evenly_and_by_the_generator():
    draws = stream(0)
    taken = sum(rewire.largest(torch.zeros(10), torch.ones(10) > 0, 3, draws).float() for _ in range(2000))
    # each is taken 600 times of 2000, standard deviation √(2000·.3·.7) = 20.5: 5 of them
    assert ((taken - 600).abs() < 103).all()
    again = [rewire.largest(torch.zeros(10), torch.ones(10) > 0, 3, stream(1)) for _ in range(2)]
    assert torch.equal(*again)


def test_a_score_that_is_nan_outside_of_the_candidates_does_no_harm():
    scores = torch.tensor([NAN, 1.0, 3.0, 2.0])
    assert rewire.largest(scores, scores == scores, 2, stream(0)).tolist() == [False, False, True, True]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("place", range(4))
def test_largest_refuses_a_nan_among_the_candidates_whatever_the_count(dtype, count, place):
    scores = torch.ones(4, dtype=dtype)
    scores[place] = NAN
    with pytest.raises(StateError, match=r"NaN"):
        rewire.largest(scores, EVERYONE, count, stream(0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [5, 6, 100])
def test_largest_refuses_more_than_there_are(dtype, count):
    with pytest.raises(StateError, match=rf"expected at least {count} candidates .* got 4"):
        rewire.largest(torch.ones(4, dtype=dtype), EVERYONE, count, stream(0))
    few = torch.tensor([True, False, True, False])
    with pytest.raises(StateError, match=rf"expected at least {count} candidates .* got 2"):
        rewire.largest(torch.ones(4, dtype=dtype), few, count, stream(0))


def test_largest_refuses_a_negative_count():
    with pytest.raises(StateError, match=r"-1"):
        rewire.largest(torch.ones(4), EVERYONE, -1, stream(0))


def test_largest_changes_none_of_its_arguments():
    scores, candidates = torch.randn(5, 6, generator=stream(0)), torch.ones(5, 6) > 0
    before = scores.clone()
    rewire.largest(scores, candidates, 11, stream(0))
    assert torch.equal(scores, before)
    assert candidates.all()


def test_largest_reads_tensors_in_any_memory_format():
    scores = torch.randn(4, 3, 2, 2, generator=stream(0))
    plain = rewire.largest(scores, scores > -9, 10, stream(0))
    strided = scores.to(memory_format=torch.channels_last)
    assert torch.equal(rewire.largest(strided, strided > -9, 10, stream(0)), plain)


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=40), st.data())
def test_kth_largest_is_the_kth_of_the_sorted_ones(values, data):
    k = data.draw(st.integers(1, len(values)))
    expected = sorted(values, reverse=True)[k - 1]
    for dtype in (torch.float32, torch.float64):
        assert rewire.kth_largest(torch.tensor(values, dtype=dtype), k).item() == expected


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_kth_largest_of_half_precision_keeps_its_type(dtype):
    found = rewire.kth_largest(torch.tensor([[3.0, 1.0], [2.0, 5.0]], dtype=dtype), 3)
    assert (found.item(), found.dtype, found.dim()) == (2.0, dtype, 0)


# --- the whole network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("floor", [0, 2])
def test_keep_largest_agrees_with_one_sorted_list_of_all_layers(seed, floor):
    layers = {name: layer(3 * seed + place) for place, name in enumerate("abc")}
    scores = {
        name: weight.abs() + torch.rand(weight.shape, generator=stream(seed)) for name, (weight, *_) in layers.items()
    }
    candidates = {name: mask for name, (_, mask, *_) in layers.items()}
    alive = sum(int(mask.sum()) for mask in candidates.values())
    reserved = sum(min(floor, int(mask.sum())) for mask in candidates.values())
    count = (reserved + alive) // 2
    kept = rewire.keep_largest(scores, candidates, count, stream(seed), floor)
    expected = reference.keep_largest(
        {name: score.reshape(-1).tolist() for name, score in scores.items()},
        {name: mask.reshape(-1).tolist() for name, mask in candidates.items()},
        count,
        floor,
    )
    assert {(name, index) for name, mask in kept.items() for index in indices(mask)} == expected


def test_keep_largest_by_hand():
    scores = {"a": torch.tensor([1.0, 4.0]), "b": torch.tensor([3.0, 2.0])}
    everyone = {name: torch.ones(2) > 0 for name in scores}
    kept = rewire.keep_largest(scores, everyone, 2, stream(0))
    assert {name: mask.tolist() for name, mask in kept.items()} == {"a": [False, True], "b": [True, False]}


def test_keep_largest_is_exact_when_all_scores_of_all_layers_are_equal():
    scores = {"a": torch.zeros(40), "b": torch.zeros(5, 12)}
    everyone = {name: score == 0 for name, score in scores.items()}
    for count in range(0, 101, 7):
        kept = rewire.keep_largest(scores, everyone, count, stream(count))
        assert sum(int(mask.sum()) for mask in kept.values()) == count


def test_keep_largest_compares_layers_of_different_precision():
    scores = {"a": torch.tensor([1.0, 4.0], dtype=torch.bfloat16), "b": torch.tensor([3.0, 2.0], dtype=torch.float64)}
    kept = rewire.keep_largest(scores, {name: torch.ones(2) > 0 for name in scores}, 3, stream(0))
    assert {name: mask.tolist() for name, mask in kept.items()} == {"a": [False, True], "b": [True, True]}


def test_keep_largest_refuses_floors_that_need_more_than_is_asked():
    scores = {name: torch.rand(5, generator=stream(0)) for name in "ab"}
    everyone = {name: torch.ones(5) > 0 for name in scores}
    with pytest.raises(StateError, match=r"expected room for 3 weights in each layer \(6\), got 5; lower floor"):
        rewire.keep_largest(scores, everyone, 5, stream(0), floor=3)
