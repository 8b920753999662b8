import random
from math import floor, prod

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gossamer import distribution
from gossamer.core.distribution import DISTRIBUTIONS, counts, explicit, live_weights
from tests.reference import erk as reference

PREFERENCES = {
    "uniform": reference.uniform_preference,
    "er": reference.er_preference,
    "erk": reference.erk_preference,
}
kernels = st.sampled_from([(), (1, 1), (3, 3), (5, 5), (7, 1), (3,), (2, 2, 2)])
layer_shapes = st.tuples(st.integers(1, 70), st.integers(1, 70), kernels).map(lambda t: (t[0], t[1], *t[2]))
networks = st.lists(layer_shapes, min_size=1, max_size=8).map(
    lambda shapes: {f"{place}": shape for place, shape in enumerate(shapes)}
)
sparsities = st.one_of(
    st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.95, 0.98, 0.999, 1 - 1e-9])
)


def budget(shapes, sparsity):
    return round((1 - sparsity) * sum(map(prod, shapes.values())))


# --- totals and capacities ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", DISTRIBUTIONS)
@given(networks, sparsities)
def test_totals_are_exact_no_layer_overflows_and_none_is_empty_without_need(title, shapes, sparsity):
    densities = DISTRIBUTIONS[title](shapes, sparsity)
    live = counts(shapes, densities)
    assert sum(live.values()) == budget(shapes, sparsity) == live_weights(shapes, sparsity)
    assert all(0 <= live[name] <= prod(shape) for name, shape in shapes.items())
    assert all(densities[name] == live[name] / prod(shapes[name]) for name in shapes)
    assert min(live.values()) > 0 or max(live.values()) <= 1


@pytest.mark.parametrize("title", DISTRIBUTIONS)
@given(networks, st.data())
def test_totals_are_exact_under_capacities_and_dense_layers(title, shapes, data):
    capacity = {name: data.draw(st.integers(0, prod(shape))) for name, shape in shapes.items()}
    dense = data.draw(st.sets(st.sampled_from(sorted(shapes)), max_size=len(shapes) - 1))
    asked = data.draw(st.integers(sum(capacity[name] for name in dense), sum(capacity.values())))
    sparsity = 1 - asked / sum(map(prod, shapes.values()))
    assume(sparsity < 1)
    live = counts(shapes, DISTRIBUTIONS[title](shapes, sparsity, dense=dense, capacity=capacity))
    assert sum(live.values()) == budget(shapes, sparsity) == asked
    assert all(live[name] <= capacity[name] for name in shapes)
    assert all(live[name] == capacity[name] for name in dense)
    empty = [name for name in shapes if live[name] == 0 and capacity[name]]
    assert not empty or all(live[name] <= 1 for name in shapes if name not in dense)


@given(networks, sparsities, st.data())
def test_explicit_densities_are_kept_to_the_weight(shapes, sparsity, data):
    live = {name: data.draw(st.integers(1, prod(shape))) for name, shape in shapes.items()}
    total = sum(map(prod, shapes.values()))
    asked = 1 - sum(live.values()) / total
    assume(budget(shapes, asked) == sum(live.values()))
    densities = {name: live[name] / prod(shape) for name, shape in shapes.items()}
    assert counts(shapes, explicit(shapes, asked, densities=densities)) == live


@given(networks, st.floats(0.01, 0.99), st.data())
def test_explicit_totals_are_exact_where_densities_are_rounded(shapes, sparsity, data):
    densities = {name: round(1 - sparsity, 3) for name in shapes}
    size = sum(map(prod, shapes.values()))
    assume(abs((1 - sparsity) - round(1 - sparsity, 3)) * size < len(shapes) - 0.5)
    live = counts(shapes, explicit(shapes, sparsity, densities=densities))
    assert sum(live.values()) == budget(shapes, sparsity)
    assert all(live[name] <= prod(shapes[name]) for name in shapes)


# --- agreement with the published loop -----------------------------------------------------------------------------


@pytest.mark.parametrize("title", DISTRIBUTIONS)
@given(networks, st.floats(0, 1, exclude_max=True))
@example({"a": (64, 3, 3, 3), "b": (64, 64, 1, 1), "c": (512, 512, 3, 3), "d": (10, 512)}, 0.8)
def test_densities_are_those_of_rigls_loop_within_one_weight(title, shapes, sparsity):
    wanted = reference.densities(shapes, sparsity, PREFERENCES[title])
    live = counts(shapes, DISTRIBUTIONS[title](shapes, sparsity))
    # the loop shares out (1 - s)·N, which need not be whole: up to half a weight more or less, then one of rounding
    slack = dict.fromkeys(shapes, 1.5 + 1e-06)
    smallest = min(wanted[name] * prod(shapes[name]) for name in shapes)
    if smallest < 1.5:  # then others gave a weight to every layer that would have been empty
        slack = dict.fromkeys(shapes, 1.5 + len(shapes))
    for name, shape in shapes.items():
        assert abs(live[name] - wanted[name] * prod(shape)) <= slack[name]


@pytest.mark.parametrize("title", DISTRIBUTIONS)
@pytest.mark.parametrize("seed", range(50))
def test_fifty_random_networks_agree_with_rigls_loop_within_one_weight(title, seed):
    draws = random.Random(seed)
    shapes = {f"{n}": (draws.randint(4, 99), draws.randint(4, 99), *draws.choice([(), (3, 3)])) for n in range(6)}
    total = sum(map(prod, shapes.values()))
    sparsity = 1 - round(draws.uniform(0.05, 0.9) * total) / total  # a whole number of live weights
    wanted = reference.densities(shapes, sparsity, PREFERENCES[title])
    live = counts(shapes, DISTRIBUTIONS[title](shapes, sparsity))
    for name, shape in shapes.items():
        exact = wanted[name] * prod(shape)
        assert floor(exact - 1e-6) <= live[name] <= floor(exact + 1e-6) + 1
        assert (live[name] == prod(shape)) == (exact > prod(shape) - 1)


def test_a_layer_that_would_pass_density_1_is_dense_and_the_rest_is_refilled():
    # raw ERK of the 1x1: Σ/Π = 10/16 = .625, of the 3x3: 38/2304 = .0165.  At s = .5, N = 2320: ε = 1160/(10 + 38)
    # = 24.2, so the 1x1 would have density 15: all its 16 live and the other 1144 are in the 3x3
    shapes = {"one": (4, 4, 1, 1), "three": (16, 16, 3, 3)}
    assert counts(shapes, distribution.erk(shapes, 0.5)) == {"one": 16, "three": 1144}


def test_capping_one_layer_pushes_the_next_over_1():
    # Σ: 4, 40, 400; Π: 3, 400, 40 000.  At s = .9 all of 40 403 keep 4 040: ε = 9.1 -> 27 of 3, 364 of 400, 3 640;
    # with 3 capped the others share 4 037: 367 of 400 still fits; at s = .8 (8 081) 400 of 400 are full
    shapes = {"a": (3, 1), "b": (20, 20), "c": (200, 200)}
    assert counts(shapes, distribution.erk(shapes, 0.9)) == {"a": 3, "b": 367, "c": 3670}
    assert counts(shapes, distribution.erk(shapes, 0.8)) == {"a": 3, "b": 400, "c": 7678}


def test_er_ignores_the_kernel_and_erk_counts_it():
    shapes = {"a": (10, 10, 3, 3), "b": (40, 40)}
    assert counts(shapes, distribution.er(shapes, 0.8)) == {"a": 346, "b": 154}  # 20·9 to 80 of 500
    assert counts(shapes, distribution.erk(shapes, 0.8)) == {"a": 123, "b": 377}  # 26 to 80 of 500


def test_uniform_by_hand_largest_remainder_takes_the_odd_weight():
    # half of 3 + 5 + 1 = 9 is 4 (banker's rounding): 1.33, 2.22, .44; one weight is left, .44 is the largest remainder
    shapes = {"a": (3, 1), "b": (5, 1), "c": (1, 1)}
    assert counts(shapes, distribution.uniform(shapes, 0.5)) == {"a": 1, "b": 2, "c": 1}


def test_no_layer_is_empty_while_another_has_a_weight_to_spare():
    shapes = {"tiny": (1, 1), "small": (2, 1), "large": (100, 10)}
    live = counts(shapes, distribution.uniform(shapes, 0.99))
    assert live == {"tiny": 1, "small": 1, "large": 8}
    assert sum(counts(shapes, distribution.uniform(shapes, 0.998)).values()) == 2  # fewer weights than layers


# --- layers kept dense -------------------------------------------------------------------------------------------


def test_layers_kept_dense_leave_their_zeros_to_the_others():
    shapes = {"first": (10, 10), "last": (30, 30)}
    assert counts(shapes, distribution.uniform(shapes, 0.5, dense=["first"])) == {"first": 100, "last": 400}


def test_a_layer_kept_dense_does_not_pay_for_an_empty_one():
    shapes = {"first": (10, 10), "last": (5, 2)}
    assert counts(shapes, distribution.uniform(shapes, 1 - 100 / 110, dense=["first"]))["first"] == 100


def test_a_layer_kept_dense_does_not_pay_for_the_rounding_of_explicit_densities():
    shapes = {"a": (2, 2), "b": (10, 10), "c": (10, 10)}
    densities = {"a": 0.3, "b": 0.5, "c": 0.5}
    live = counts(shapes, explicit(shapes, 1 - 103 / 204, densities=densities, dense=["a"]))
    assert live["a"] == 4
    assert sum(live.values()) == 103
