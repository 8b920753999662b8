"""Wilson's interval, McNemar's test and the paired interval against exact sums and scipy."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from gossamer.attack import paired, wilson
from gossamer.attack.intervals import mcnemar
from gossamer.core.errors import DataError, SettingError


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 10), (3, 10), (500, 1000), (9999, 10_000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_as_scipy(successes, n, confidence):
    expected = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    found = wilson(successes, n, confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.value == successes / n


def test_wilson_at_the_ends():
    assert wilson(0, 50).low == 0.0
    assert wilson(50, 50).high == 1.0
    assert str(wilson(0, 50)) == "0.0 % [0.0, 7.1], n = 50"


@settings(deadline=None)
@given(a=st.integers(0, 400), b=st.integers(0, 400))
def test_mcnemar_as_scipy(a, b):
    expected = binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_a_whole_test_set_does_not_overflow():
    assert mcnemar(30_000, 30_000) == 1.0
    assert mcnemar(0, 2000) == 0.0  # 2^-1999 is below float64
    assert mcnemar(4700, 5300) == pytest.approx(binomtest(4700, 10_000).pvalue, rel=1e-6)


def bools(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return torch.tensor(a), torch.tensor(b)


def test_paired_by_hand():
    """a has 12 alone, b has 3 alone, of 48: centre 9/50, half 1.96 √(16 - 81/50) / 50."""
    found = paired(*bools(20, 12, 3, 13))
    assert (found.difference, found.only_a, found.only_b, found.n) == (9 / 48, 12, 3, 48)
    half = 1.959964 * math.sqrt(16 - 81 / 50) / 50
    assert (found.low, found.high) == pytest.approx((0.18 - half, 0.18 + half), abs=1e-6)
    assert found.p_value == pytest.approx(2 * (1 + 15 + 105 + 455) / 2**15)


def test_paired_turned_round():
    found, turned = paired(*bools(20, 12, 3, 13)), paired(*bools(20, 3, 12, 13))
    assert turned.difference == -found.difference
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert turned.p_value == found.p_value


@pytest.mark.parametrize("counts", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 5, 0), (0, 900, 0, 0), (7, 0, 0, 7)])
def test_paired_at_the_ends(counts):
    found = paired(*bools(*counts))
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert found.low < found.high


@pytest.mark.parametrize(("only_a", "only_b"), [(0.1, 0.1), (0.2, 0.05), (0.05, 0.01), (0.4, 0.3)])
@pytest.mark.parametrize("n", [30, 100])
def test_the_paired_interval_covers_the_truth_as_often_as_it_says(only_a, only_b, n):
    """Exactly, as a sum over every pair of counts."""
    covered = 0.0
    for a, b in product(range(n + 1), repeat=2):
        if a + b > n:
            continue
        rest = n - a - b
        log = math.lgamma(n + 1) - math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(rest + 1)
        chance = math.exp(log + a * math.log(only_a) + b * math.log(only_b) + rest * math.log(1 - only_a - only_b))
        if chance > 1e-7:
            found = paired(*bools(0, a, b, rest))
            covered += chance * (found.low <= only_a - only_b <= found.high)
    assert 0.94 <= covered <= (0.97 if n * (only_a + only_b) > 20 else 1)  # few pairs differ: too often, not too rarely


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_counts_that_are_no_proportion(successes, n):
    with pytest.raises(DataError, match=f"0 ≤ successes ≤ n and n ≥ 1, got {successes} of {n}"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidences_that_are_none(confidence):
    with pytest.raises(SettingError, match=f"a confidence between 0 and 1, got {confidence}"):
        wilson(1, 2, confidence)
    with pytest.raises(SettingError, match="a confidence between 0 and 1"):
        paired(*bools(1, 1, 1, 1), confidence)


def test_pairs_that_are_none():
    right = torch.ones(3, dtype=torch.bool)
    for other in (right[:2], right[:, None]):
        with pytest.raises(DataError, match=r"of the same images, got \(3,\) and .*; evaluate both models"):
            paired(right, other)
    with pytest.raises(DataError, match=r"got \(0,\) and \(0,\)"):
        paired(right[:0], right[:0])
    with pytest.raises(DataError, match=r"expected bools, got torch\.bool and torch\.float32"):
        paired(right, right.float())
