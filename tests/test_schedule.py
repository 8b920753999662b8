from fractions import Fraction
from math import cos, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.errors import SettingError
from gossamer.core.schedule import Constant, Cosine, Cubic, Every

values = st.floats(-10, 10)
steps = st.integers(0, 10**7)


@pytest.mark.parametrize("curve", [Cosine, Cubic])
@given(values, values, steps, steps, st.integers(0, 10**6))
def test_curves_are_exact_at_their_ends_and_outside(curve, first, last, begin, length, away):
    schedule = curve(first, last, begin, begin + length)
    assert schedule(begin + length) == schedule(begin + length + away) == last
    if length:
        assert schedule(begin) == schedule(max(begin - away, 0)) == first


@pytest.mark.parametrize("curve", [Cosine, Cubic])
@given(values, values, st.integers(1, 300))
def test_curves_never_turn_round(curve, first, last, length):
    path = [curve(first, last, 0, length)(step) for step in range(length + 1)]
    rising = sorted(path, reverse=first > last)
    assert path == pytest.approx(rising, abs=1e-13)
    assert min(first, last) - 1e-13 <= min(path)
    assert max(path) <= max(first, last) + 1e-13


@given(st.integers(1, 200), st.data())
def test_cubic_agrees_with_exact_fractions(length, data):
    step = data.draw(st.integers(0, length))
    exact = Fraction(9, 10) * (1 - (1 - Fraction(step, length)) ** 3)
    assert Cubic(0.0, 0.9, 0, length)(step) == pytest.approx(float(exact), abs=1e-15)


@given(st.integers(1, 200), st.data())
def test_cosine_agrees_with_rigls_formula(length, data):
    step = data.draw(st.integers(0, length))
    assert Cosine(0.3, 0.0, 0, length)(step) == pytest.approx(0.3 / 2 * (1 + cos(pi * step / length)), abs=1e-15)


def test_four_updates_reach_the_target_and_not_almost():
    # stopping one update early leaves (1/4)³ of the way: .2125 instead of .2 live
    live = [1 - Cubic(0.0, 0.8, 0, 4)(step) for step in range(5)]
    assert live == pytest.approx([1.0, 0.5375, 0.3, 0.2125, 0.2])
    assert Cubic(0.0, 0.8, 0, 4)(4) == 0.8


def test_a_schedule_of_no_length_jumps():
    assert [Cubic(0.0, 0.9, 5, 5)(step) for step in (4, 5, 6)] == [0.0, 0.9, 0.9]


def test_schedules_compare_and_print_as_what_they_are():
    assert Cosine(1.0, 0.0, 0, 9) == Cosine(1.0, 0.0, 0, 9)
    assert Cosine(1.0, 0.0, 0, 9) != Cubic(1.0, 0.0, 0, 9)
    assert repr(Cubic(1.0, 0.0, 0, 9)) == "Cubic(first=1.0, last=0.0, begin=0, end=9)"


@given(values, st.integers())
def test_constant_is(value, step):
    assert Constant(value)(step) == value


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 90), st.integers(0, 100), st.booleans())
def test_every_agrees_with_counting(interval, begin, end, final, has_final):
    schedule = Every(interval, begin=begin, end=end, final=final if has_final else None)
    expected = set()
    moment = begin
    while moment < end:
        expected.add(moment)
        moment += interval
    expected.discard(0)  # nothing has been learned yet
    if has_final:
        expected.add(final)
    assert {step for step in range(120) if schedule(step)} == expected


def test_every_without_an_end_goes_on():
    assert [step for step in range(10) if Every(3)(step)] == [3, 6, 9]


@pytest.mark.parametrize("interval", [0, -3])
def test_every_refuses_an_interval_below_one(interval):
    with pytest.raises(SettingError, match=rf"interval of at least 1 step, got {interval}; pass every=1 or more"):
        Every(interval)


@pytest.mark.parametrize("curve", [Cosine, Cubic])
def test_a_curve_that_ends_before_it_begins_is_refused(curve):
    with pytest.raises(SettingError, match=r"expected end ≥ begin, got begin=5, end=4; swap them"):
        curve(0.0, 1.0, 5, 4)
