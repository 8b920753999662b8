import signal
from contextlib import contextmanager

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gossamer import distribution
from gossamer.core.distribution import DISTRIBUTIONS, counts, explicit, live_weights
from gossamer.core.errors import SettingError, UnknownNameError


@contextmanager
def at_most(seconds):
    """An endless loop fails instead of hanging the suite."""

    def stop(*_):
        raise TimeoutError("endless")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_dense_layers_that_hold_more_than_the_budget_are_refused_with_advice_that_works():
    shapes = {"conv": (16, 16, 3, 3), "fc": (100, 40)}
    message = r"sparsity 0\.9 leaves ERK 630 weights, but the dense layers \['fc'\] alone hold 4 000; lower sparsity to"
    with pytest.raises(SettingError, match=message + r" ≤ 0\.365 or pass dense=\(\)"):
        distribution.erk(shapes, 0.9, dense=["fc"])
    assert counts(shapes, distribution.erk(shapes, 0.365, dense=["fc"]))["fc"] == 4000


@given(st.integers(1, 10**6), st.integers(0, 10**6))
@example(90_001, 50_000)
def test_capacities_below_the_budget_are_refused_with_advice_that_works(size, least):
    most = min(least, size)
    assume(0 < most < live_weights({"w": (size, 1)}, 0.0))
    with pytest.raises(SettingError, match=r"can hold only .*; raise sparsity to ≥ 0\.\d+$") as caught:
        distribution.uniform({"w": (size, 1)}, 0.0, capacity={"w": most})
    advised = float(str(caught.value).rpartition("≥ ")[2])
    assert counts({"w": (size, 1)}, distribution.uniform({"w": (size, 1)}, advised, capacity={"w": most}))["w"] <= most


@pytest.mark.parametrize("title", DISTRIBUTIONS)
def test_an_unknown_layer_to_keep_dense_is_named_with_the_nearest(title):
    with pytest.raises(UnknownNameError, match=r"unknown layer to keep dense 'fc\.wieght'; did you mean 'fc\.weight'"):
        DISTRIBUTIONS[title]({"fc.weight": (3, 3)}, 0.5, dense=["fc.wieght"])


def test_explicit_names_an_unknown_layer_to_keep_dense_as_well():
    with pytest.raises(UnknownNameError, match=r"unknown layer to keep dense 'typo'"):
        explicit({"a": (4, 5)}, 0.5, densities={"a": 0.5}, dense=["typo"])


@pytest.mark.parametrize("settings", [{"capacity": {"a": 3}}, {"capacity": {"a": 3}, "dense": ["a"]}])
def test_explicit_densities_beyond_the_capacity_are_refused_and_do_not_loop_for_ever(settings):
    with at_most(5), pytest.raises(SettingError, match=r"can hold only 3"):
        explicit({"a": (4, 1)}, 0.0, densities={"a": 1.0}, **settings)


@pytest.mark.parametrize(("sparsity", "hint"), [(1.0, "0.9 keeps a tenth"), (-0.1, "0.9 keeps a tenth")])
def test_a_sparsity_outside_its_range_is_refused(sparsity, hint):
    for title in DISTRIBUTIONS:
        with pytest.raises(SettingError, match=rf"expected a sparsity in \[0, 1\), .* got {sparsity}; {hint}"):
            DISTRIBUTIONS[title]({"a": (4, 5)}, sparsity)


@pytest.mark.parametrize("sparsity", [float("nan"), float("inf"), -float("inf"), True, False])
def test_a_sparsity_that_is_no_share_is_refused(sparsity):
    with pytest.raises(SettingError, match=r"expected a sparsity in \[0, 1\)"):
        distribution.check_sparsity(sparsity)


def test_a_percentage_is_recognised():
    with pytest.raises(SettingError, match=r"got 90; 90 per cent is 0\.9"):
        distribution.check_sparsity(90)


def test_explicit_wants_a_density_for_each_layer():
    with pytest.raises(SettingError, match=r"one density for each of \['a', 'b'\], got a mismatch in \['b'\]"):
        explicit({"a": (2, 2), "b": (2, 2)}, 0.5, densities={"a": 0.5})


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_explicit_wants_shares(density):
    with pytest.raises(SettingError, match=r"expected densities in \[0, 1\], got \{'a': "):
        explicit({"a": (2, 2)}, 0.5, densities={"a": density})


def test_explicit_says_which_sparsity_the_densities_amount_to():
    with pytest.raises(SettingError, match=r"amount to sparsity 0\.8000, asked for 0\.5; change the densities"):
        explicit({"a": (10, 10)}, 0.5, densities={"a": 0.2})


def test_find_names_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"unknown distribution 'erkk'; did you mean 'erk'\? known: er, erk, uni"
    ):
        distribution.find("erkk")
    assert [distribution.find(title) for title in DISTRIBUTIONS] == list(DISTRIBUTIONS.values())
