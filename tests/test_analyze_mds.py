import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.analyze.landscape.mds import solution_map, stress, turned
from gossamer.core.errors import DataError, SettingError
from tests.reference import landscape as reference


def distances(points: np.ndarray) -> np.ndarray:
    return np.array([[math.dist(a, b) for b in points] for a in points])


def points(count: int, dimensions: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions))


@settings(max_examples=6, deadline=None)
@given(st.integers(2, 12), st.integers(0, 100), st.sampled_from([1e-3, 1.0, 1e4]))
def test_points_of_a_plane_are_found_again_up_to_their_turn(count: int, seed: int, scale: float):
    wanted = distances(points(count, seed=seed)) * scale
    found = solution_map(wanted, starts=4)
    np.testing.assert_allclose(distances(found.positions), wanted, atol=1e-6 * scale)
    assert found.stress < 1e-6


def test_four_networks_at_equal_distances_become_a_square():
    # sides a and diagonals √2 a against 1: 4 (a - 1)² + 2 (√2 a - 1)² is least at a = (2 + √2) / 4,
    # where stress-1 is 3 - 2 √2
    found = solution_map(1 - np.eye(4))
    assert found.stress == pytest.approx(3 - 2 * math.sqrt(2), abs=1e-9)
    side = (2 + math.sqrt(2)) / 4
    expected = sorted([side] * 8 + [math.sqrt(2) * side] * 4 + [0.0] * 4)
    assert sorted(distances(found.positions).flatten()) == pytest.approx(expected, abs=1e-6)


def test_the_best_of_several_starts_is_kept():
    wanted = distances(points(14, dimensions=6))
    few, many = solution_map(wanted, starts=1), solution_map(wanted, starts=24)
    assert many.stress <= few.stress * (1 + 2e-3) + 2e-3
    tried = [solution_map(wanted, starts=2, seed=seed).stress for seed in range(6)]
    assert many.stress <= min(tried) * (1 + 2e-3) + 2e-3


def test_no_point_can_be_moved_to_fit_better():
    wanted = distances(points(6, dimensions=4))
    found = solution_map(wanted)
    raw = ((distances(found.positions) - wanted) ** 2).sum()
    for i in range(6):
        for step in ([1e-3, 0.0], [-1e-3, 0.0], [0.0, 1e-3], [0.0, -1e-3]):
            moved = found.positions.copy()
            moved[i] += step
            assert ((distances(moved) - wanted) ** 2).sum() > raw


def test_stress_agrees_with_a_plain_loop():
    positions, wanted = points(7, seed=1), distances(points(7, dimensions=3))
    assert stress(positions, wanted) == pytest.approx(reference.stress(positions, wanted))
    found = solution_map(wanted)
    assert found.stress == pytest.approx(reference.stress(found.positions, wanted))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100), st.floats(0, 6.3), st.booleans())
def test_every_turn_of_a_figure_becomes_the_same_map(seed: int, angle: float, reflected: bool):
    given_points = points(5, seed=seed)
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    other = given_points @ rotation.T @ np.diag([1.0, -1.0 if reflected else 1.0]) + [3.0, -8.0]
    np.testing.assert_allclose(turned(other), turned(given_points), atol=1e-9)
    found = turned(given_points)
    np.testing.assert_allclose(distances(found), distances(given_points), atol=1e-9)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-9)
    farthest = np.argmax(np.hypot(*found.T))
    assert found[farthest, 0] > 0
    assert found[farthest, 1] == pytest.approx(0, abs=1e-9)
    assert found[np.argmax(np.abs(found[:, 1])), 1] > 0


def test_of_equally_far_points_the_first_counts_despite_rounding():
    corners = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    for noise in range(5):
        found = turned(corners + 1e-9 * points(4, seed=noise))
        np.testing.assert_allclose(found, math.sqrt(2) * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]), atol=1e-8)


def test_equal_inputs_give_equal_maps_whatever_the_random_state():
    wanted = distances(points(9, dimensions=5))
    np.random.seed(0)  # noqa: NPY002  the old state, which scikit-learn would fall back to
    first = solution_map(wanted, seed=3)
    np.random.seed(1)  # noqa: NPY002  as above
    state = np.random.get_state()[1].copy()  # noqa: NPY002  as above
    second = solution_map(torch.from_numpy(wanted), seed=3)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002  as above
    assert np.array_equal(first.positions, second.positions)
    assert first.stress == second.stress


def test_the_unit_is_that_of_the_distances():
    wanted = distances(points(7, dimensions=4))
    one, thousand = solution_map(wanted), solution_map(1000 * wanted)
    np.testing.assert_allclose(thousand.positions, 1000 * one.positions, rtol=1e-4, atol=1e-2)
    assert one.stress == pytest.approx(thousand.stress)


def test_networks_that_are_one_lie_on_one_point():
    found = solution_map(np.zeros((3, 3)))
    assert (found.positions.tolist(), found.stress) == ([[0.0, 0.0]] * 3, 0.0)
    twins = solution_map(np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 2.0], [2.0, 2.0, 0.0]]))
    np.testing.assert_allclose(distances(twins.positions), [[0, 0, 2], [0, 0, 2], [2, 2, 0]], atol=1e-4)


def test_rows_are_plain():
    found = solution_map(np.array([[0.0, 2.0], [2.0, 0.0]]), ["a", "b"])
    rows = found.rows()
    assert [row["name"] for row in rows] == ["a", "b"]
    assert [type(row["x"]) for row in rows] == [float, float]
    assert [(row["x"], row["y"]) for row in rows] == [pytest.approx((1, 0)), pytest.approx((-1, 0))]
    assert [row["name"] for row in solution_map(np.array([[0.0, 2.0], [2.0, 0.0]])).rows()] == ["0", "1"]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((2, 3)), r"matrix \(K, K\) of distances with K ≥ 2, got shape \(2, 3\)"),
        (np.zeros((1, 1)), r"with K ≥ 2, got shape \(1, 1\)"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), "finite distances of 0 or more"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "finite distances of 0 or more, got others; has a network diverged"),
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "a symmetric matrix with zeros on its diagonal"),
        (np.eye(2), "zeros on its diagonal, got another; pass distances, not similarities"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(matrix: np.ndarray, message: str):
    with pytest.raises(DataError, match=message):
        solution_map(matrix)


def test_names_for_another_number_of_networks_are_refused():
    with pytest.raises(DataError, match="a name for each of 2 networks, got 3"):
        solution_map(1 - np.eye(2), ["a", "b", "c"])


@pytest.mark.parametrize("starts", [0, 1.5])
def test_starts_are_one_or_more(starts: float):
    with pytest.raises(SettingError, match="a whole number of 1 or more as starts"):
        solution_map(1 - np.eye(2), starts=starts)


def test_a_seed_is_a_whole_number():
    with pytest.raises(SettingError, match="a whole number of 0 or more as seed"):
        solution_map(1 - np.eye(2), seed=-1)
