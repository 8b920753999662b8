import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from gossamer.core.errors import DataError
from gossamer.hardness import rank_correlation, rank_correlations
from tests.reference import ranks as reference

VALUES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf, -math.inf]), min_size=10, max_size=10)


@given(VALUES, VALUES)
def test_rank_correlation_agrees_with_counting(first, second):
    found = rank_correlation(torch.tensor(first), torch.tensor(second))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(reference.spearman(first, second), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_agrees_with_scipy(seed):
    first, second = torch.randint(20, (2, 100), generator=torch.Generator().manual_seed(seed)).double()
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_rank_correlation_by_hand():
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: the deviations' products 4.5, their squares 4.5 and 5
    tied = rank_correlation(torch.tensor([0.0, 7.0, 7.0, math.inf]), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert tied == pytest.approx(4.5 / math.sqrt(4.5 * 5), rel=1e-15)


@given(VALUES.filter(lambda values: len(set(values)) > 1))
def test_a_score_goes_with_itself_and_with_what_grows_with_it(values):
    scores = torch.tensor(values)
    assert rank_correlation(scores, scores) == 1.0
    assert rank_correlation(scores, scores.clamp(-5, 5) ** 3) == 1.0
    assert rank_correlation(scores, -scores) == pytest.approx(-1.0, abs=1e-15)


def test_the_table_has_every_pair_in_the_order_of_the_names():
    stream = torch.Generator().manual_seed(0)
    scores = {name: torch.randn(30, generator=stream) for name in ("b", "a", "c")}
    table = rank_correlations(scores)
    assert table.shape == (3, 3)
    assert torch.equal(table, table.T)
    assert table.diagonal().tolist() == [1.0, 1.0, 1.0]
    assert table[0, 2].item() == pytest.approx(rank_correlation(scores["b"], scores["c"]), abs=1e-15)


def test_a_score_without_differences_ranks_nothing():
    table = rank_correlations({"flat": torch.ones(4), "other": torch.arange(4.0)})
    assert table.isnan().tolist() == [[True, True], [True, False]]


@pytest.mark.parametrize("other", [torch.zeros(3), torch.zeros(4, 1), torch.zeros(1)])
def test_scores_must_be_of_the_same_samples(other):
    with pytest.raises(DataError, match=r"expected scores \(N,\) of the same N ≥ 2 samples, got .* for 'second'"):
        rank_correlation(torch.zeros(4), other)


def test_one_sample_ranks_nothing():
    with pytest.raises(DataError, match=r"expected scores \(N,\) of the same N ≥ 2 samples, got \(1,\) for 'first'"):
        rank_correlation(torch.zeros(1), torch.zeros(1))


def test_nan_is_refused_by_name():
    with pytest.raises(DataError, match="1 of 2 values of 'second' are NaN"):
        rank_correlation(torch.zeros(2), torch.tensor([0.0, math.nan]))


def test_no_scores_are_refused():
    with pytest.raises(DataError, match="expected at least one score to correlate, got none"):
        rank_correlations({})
