"""Outermost eigenvalues: against dense solvers, with equal and nearly equal ones, and their residuals."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from gossamer.analyze.curvature.eigen import eigenvalues
from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.curvature.krylov import Basis
from gossamer.core.errors import DataError, SettingError, StateError
from tests.curvature import network, random_masks, samples
from tests.reference import hessian as reference
from tests.reference import lanczos


class Counted:
    """A diagonal matrix that counts its products; optionally with the rounding of float32."""

    def __init__(self, values, dtype=torch.float64):
        self.values, self.dtype, self.products = torch.as_tensor(values, dtype=dtype), dtype, 0
        self.shape, self.device = (len(self.values),) * 2, torch.device("cpu")

    def __matmul__(self, vectors):
        self.products += vectors.shape[1]
        return self.values[:, None] * vectors.to(self.dtype)


def symmetric(values, seed=0):
    """A matrix with these eigenvalues, in random directions."""
    generator = torch.Generator().manual_seed(seed)
    n = len(values)
    directions = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    matrix = directions @ torch.diag(torch.as_tensor(values, dtype=torch.float64)) @ directions.T
    return (matrix + matrix.T) / 2


def bulk(n, seed=0):
    return 0.05 * torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SPECTRA = {
    "five equal": [5.0] * 5 + [4.9],
    "seven nearly equal": [5 - 1e-6 * i for i in range(7)],
    "nearly equal pairs": [5.0, 5 - 1e-5, 4.0, 4 - 1e-4, 3.0, 2.9],
    "a bulk close below": [5.0, 4.0, 3.0, 2.0, 1.03],
    "all alike": [],
}


def spectrum(name, n, seed):
    outer = torch.tensor(SPECTRA[name], dtype=torch.float64)
    return torch.cat([outer, bulk(n - len(outer), seed) + (0.8 if name == "a bulk close below" else 0)])


@pytest.mark.parametrize("top", [2, 5])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
@pytest.mark.parametrize("name", SPECTRA)
def test_none_is_missed(name, tolerance, top):
    for seed in range(15):
        values = spectrum(name, 200, seed)
        found = eigenvalues(Counted(values), top=top, tolerance=tolerance, seed=seed)
        expected = values.sort(descending=True).values[:top]
        assert ((found.values - expected).abs() <= found.bounds).all(), seed


@pytest.mark.parametrize(("name", "top"), [("five equal", 5), ("nearly equal pairs", 2)])
def test_the_textbooks_lanczos_misses_some_of_these(name, top):
    """Or the test above proves nothing: one start vector, stopped at the same residuals."""
    values = spectrum(name, 200, seed=0)
    expected = values.sort(descending=True).values[:top]
    found = lanczos.top(torch.diag(values), top, tolerance=1e-3)
    assert float((found - expected).abs().max()) > 0.09


@given(
    n=st.integers(1, 40),
    top=st.integers(0, 6),
    bottom=st.integers(0, 6),
    rank=st.integers(0, 40),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_both_ends_against_the_dense_solver(n, top, bottom, rank, seed):
    if not 1 <= top + bottom <= n:
        return
    values = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values[rank:] = 0
    found = eigenvalues(symmetric(values, seed), top=top, bottom=bottom, tolerance=1e-8)
    ordered = values.sort(descending=True).values
    torch.testing.assert_close(found.values, torch.cat([ordered[:top], ordered[n - bottom :]]), atol=1e-8, rtol=1e-8)
    identity = found.vectors.T @ found.vectors
    torch.testing.assert_close(identity, torch.eye(top + bottom, dtype=torch.float64))


@pytest.mark.parametrize("max_basis", [54, 200])
def test_residuals_are_true_and_restarts_keep_them_so(max_basis):
    matrix = symmetric(torch.cos(torch.linspace(0, 3.14, 120)))
    found = eigenvalues(matrix, top=4, bottom=3, tolerance=1e-4, max_basis=max_basis)
    residuals = torch.linalg.vector_norm(matrix @ found.vectors - found.vectors * found.values, dim=0)
    torch.testing.assert_close(found.residuals, residuals, rtol=1e-3, atol=1e-12)
    assert (residuals <= 1.001e-4 * found.values.abs()).all()
    exact = torch.linalg.eigvalsh(matrix).flip(0)
    torch.testing.assert_close(found.values, torch.cat([exact[:4], exact[-3:]]), atol=1e-4, rtol=0)


def test_a_restart_is_needed_for_that():
    matrix = symmetric(torch.cos(torch.linspace(0, 3.14, 120)))
    assert eigenvalues(matrix, top=4, bottom=3, tolerance=1e-4).products > 54


def test_by_magnitude():
    values = [-5.0, 4.0, -3.0, 2.0, *bulk(60).tolist()]
    found = eigenvalues(symmetric(values), top=3, by="magnitude", tolerance=1e-8)
    torch.testing.assert_close(found.values, torch.tensor([-5.0, 4.0, -3.0], dtype=torch.float64))


def test_small_ones_are_found_to_a_hundredth_of_the_tolerance():
    found = eigenvalues(symmetric([100.0, 1e-3, *[0.0] * 20]), top=2, tolerance=1e-3)
    assert found.bounds.tolist() == pytest.approx([0.1, 1e-3])


def test_a_zero_matrix():
    found = eigenvalues(torch.zeros(9, 9), top=2, bottom=6)
    assert found.values.tolist() == [0.0] * 8
    assert found.residuals.tolist() == [0.0] * 8


def test_rounding_of_float32_does_not_matter():
    values = spectrum("nearly equal pairs", 300, seed=1)
    found = eigenvalues(Counted(values, torch.float32), bottom=2, tolerance=1e-4)
    ordered = values.sort(descending=True).values
    torch.testing.assert_close(found.values, torch.cat([ordered[:5], ordered[-2:]]), atol=2e-4, rtol=1e-4)


def test_the_same_seed_finds_the_same_bits():
    matrix = symmetric(bulk(50))
    first, again = eigenvalues(matrix, seed=3), eigenvalues(matrix, seed=3)
    other = eigenvalues(matrix, seed=4)
    assert torch.equal(first.vectors, again.vectors)
    assert not torch.equal(first.vectors, other.vectors)


def test_products_are_counted_and_few():
    operator = Counted([9.0, 8.0, 7.0, 6.0, 5.0, *[0.0] * 400])
    found = eigenvalues(operator)
    assert found.products == operator.products
    assert found.products <= 14  # a random block of seven, and where H takes it


def test_the_global_stream_is_left_alone():
    state = torch.get_rng_state()
    eigenvalues(symmetric(bulk(20)))
    assert torch.equal(torch.get_rng_state(), state)


def test_of_a_sparse_network():
    model = network("dense")
    masks = random_masks(model)
    exact = torch.linalg.eigvalsh(reference.hessian(model, F.cross_entropy, *samples(), masks))
    found = eigenvalues(hessian(model, F.cross_entropy, samples(), masks=masks), top=3, bottom=2, tolerance=1e-6)
    torch.testing.assert_close(found.values, torch.cat([exact.flip(0)[:3], exact.flip(0)[-2:]]), atol=1e-6, rtol=1e-6)
    assert [row["end"] for row in found.rows()] == ["top"] * 3 + ["bottom"] * 2
    assert [row["eigenvalue"] for row in found.rows()] == found.values.tolist()


def test_failure_tells_the_residuals_reached():
    matrix = symmetric(torch.cos(torch.linspace(0, 3.14, 120)))
    with pytest.raises(
        StateError, match=r"expected residuals of at most .*, got .* after \d+ products; raise max_prod"
    ):
        eigenvalues(matrix, tolerance=1e-9, max_products=20)


def test_products_that_are_not_symmetric():
    class Skew(Counted):
        def __matmul__(self, vectors):
            return super().__matmul__(vectors) + vectors.roll(1, 0)

    with pytest.raises(StateError, match="the products are not symmetric to this precision"):
        eigenvalues(Skew(bulk(12)), top=1)


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"top": 0}, "expected 1 to 30 eigenvalues of 30 coordinates, got top=0 and bottom=0"),
        ({"top": 20, "bottom": 11}, "expected 1 to 30 eigenvalues of 30 coordinates, got top=20 and bottom=11"),
        ({"top": -1, "bottom": 3}, "got top=-1 and bottom=3"),
        ({"by": "size"}, "expected by='value', or by='magnitude' with bottom=0, got by='size'"),
        ({"by": "magnitude", "bottom": 1}, "the smallest magnitudes lie inside of the spectrum"),
        ({"tolerance": 0.0}, "expected a tolerance above 0, got 0.0"),
        ({"max_basis": 10}, "expected max_basis ≥ 30, got 10"),
        ({"seed": None}, "expected a whole number of 0 or more as seed, got None"),
    ],
)
def test_settings_out_of_range(given_settings, words):
    with pytest.raises(SettingError, match=words):
        eigenvalues(symmetric(bulk(30)), **given_settings)


@pytest.mark.parametrize("matrix", [torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.zeros(2, 3), torch.zeros(3)])
def test_a_matrix_that_is_not_symmetric(matrix):
    with pytest.raises(DataError, match="expected a symmetric matrix, got shape"):
        eigenvalues(matrix, top=1)


def test_a_basis_takes_up_new_directions_only():
    basis = Basis(torch.diag(torch.arange(6.0).double()), seed=0)
    first = torch.eye(6, 2, dtype=torch.float64)
    basis.expand(torch.cat([first, first[:, :1] + 1e-6 * first[:, 1:]], 1))  # the third is the first, to rounding
    assert basis.size == 2
    basis.expand(first)  # nothing new: a random one joins
    assert basis.size == 3
    for _ in range(3):
        basis.expand(basis.random(5))
        assert basis.complete or basis.size == 3
    assert basis.complete
    torch.testing.assert_close(basis.vectors.T @ basis.vectors, torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(basis.ritz()[0], torch.arange(6.0).double(), atol=1e-12, rtol=0)
