"""Spectral densities: exact where they can be, else their moments."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.curvature.lanczos import broadened, spectral_density
from gossamer.core.errors import DataError, SettingError
from tests.curvature import network, samples
from tests.reference import hessian as reference
from tests.reference import lanczos


def matrix_of(n, seed=0):
    drawn = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (drawn + drawn.T) / 2


def starts(n, probes, seed):
    return torch.randn(n, probes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(n=st.integers(1, 12), steps=st.integers(1, 15), probes=st.integers(1, 4), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_nodes_and_weights_are_the_textbooks(n, steps, probes, seed):
    matrix = matrix_of(n, seed)
    found = spectral_density(matrix, steps=steps, probes=probes, seed=seed)
    assert found.nodes.shape == found.weights.shape == (probes, min(n, steps))
    for probe, start in enumerate(starts(n, probes, seed).unbind(1)):
        values, weights = lanczos.lanczos(matrix, start, min(n, steps))
        torch.testing.assert_close(found.nodes[probe], values)
        torch.testing.assert_close(found.weights[probe], weights)


def test_all_steps_give_all_eigenvalues():
    matrix = matrix_of(10)
    found = spectral_density(matrix, steps=10, probes=2)
    for nodes in found.nodes:
        torch.testing.assert_close(nodes, torch.linalg.eigvalsh(matrix))


def test_moments_are_exact_for_each_probe():
    matrix = matrix_of(60)
    found = spectral_density(matrix, steps=5, probes=3, seed=2)
    start = starts(60, 3, 2)
    start = start / start.norm(dim=0)
    power = start
    for order in range(10):  # 2 · steps - 1 is the highest exact one
        exact = (start * power).sum(0)
        torch.testing.assert_close((found.weights * found.nodes**order).sum(1), exact)
        power = matrix @ power


def test_an_exhausted_space_adds_no_weight():
    found = spectral_density(torch.diag(torch.tensor([1.0, 1.0, 1.0, 3.0, 3.0, 3.0])), steps=6, probes=4)
    on_either = [(found.weights * ((found.nodes - place).abs() < 1e-6)).sum(1) for place in (1.0, 3.0)]
    torch.testing.assert_close(sum(on_either), torch.ones(4, dtype=torch.float64))


def test_many_probes_weigh_eigenvalues_alike():
    found = spectral_density(torch.diag(torch.tensor([1.0, 1.0, 1.0, 3.0])), steps=4, probes=3000)
    on_three = (found.weights * ((found.nodes - 3).abs() < 1e-6)).sum(1)
    error = float(on_three.std()) / 3000**0.5
    assert abs(float(on_three.mean()) - 0.25) < 4 * error
    assert error < 0.01


@pytest.mark.parametrize("width", [None, 0.2])
def test_the_density_integrates_to_one_and_has_the_nodes_mean(width):
    found = spectral_density(matrix_of(40), steps=12, probes=3, width=width)
    assert float(torch.trapezoid(found.density, found.grid)) == pytest.approx(1, abs=1e-5)
    mean = float((found.weights * found.nodes).sum()) / 3
    assert float(torch.trapezoid(found.density * found.grid, found.grid)) == pytest.approx(mean, abs=1e-5)
    assert found.width == (width or pytest.approx(0.01 * float(found.nodes.max() - found.nodes.min())))
    assert found.rows()[7] == {"eigenvalue": float(found.grid[7]), "density": float(found.density[7])}


def test_a_gaussian_by_hand():
    nodes, weights = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.5], [0.5]])
    found = broadened(torch.tensor([0.0, 1.0]), nodes, weights, width=1.0)
    torch.testing.assert_close(found, torch.tensor([0.5 * 0.398942 + 0.5 * 0.053991, 0.241971]))


@pytest.mark.parametrize("scale", [0.0, 2.0])
def test_a_single_eigenvalue_has_a_width_too(scale):
    found = spectral_density(scale * torch.eye(4), probes=2)
    assert found.width == pytest.approx(0.01 * (scale or 1))
    assert float(torch.trapezoid(found.density, found.grid)) == pytest.approx(1, abs=1e-5)


def test_of_a_network():
    model = network("dense")
    exact = torch.linalg.eigvalsh(reference.hessian(model, F.cross_entropy, *samples()))
    operator = hessian(model, F.cross_entropy, samples())
    found = spectral_density(operator, steps=30, probes=2)
    assert operator.products == 30 * 2
    torch.testing.assert_close(found.nodes[:, -1], exact[-1:].expand(2))
    torch.testing.assert_close(found.nodes[:, 0], exact[:1].expand(2), atol=1e-6, rtol=1e-4)


def test_the_same_seed_draws_the_same():
    first, again, other = (spectral_density(matrix_of(9), steps=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.density, again.density)
    assert not torch.equal(first.nodes, other.nodes)


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"steps": 0}, "expected steps ≥ 1, got 0"),
        ({"probes": 0}, "expected probes ≥ 1, got 0"),
        ({"points": 1}, "expected points ≥ 2, got 1"),
        ({"width": 0.0}, "expected a width above 0, got 0.0"),
        ({"seed": -1}, "expected a whole number of 0 or more as seed, got -1"),
    ],
)
def test_settings_out_of_range(given_settings, words):
    with pytest.raises(SettingError, match=words):
        spectral_density(matrix_of(3), **given_settings)


def test_a_matrix_that_is_not_symmetric():
    with pytest.raises(DataError, match="expected a symmetric matrix"):
        spectral_density(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
