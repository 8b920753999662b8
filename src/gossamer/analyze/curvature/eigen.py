"""The outermost eigenvalues of a Hessian, none of them missed, with the residual of each."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.analyze.curvature.krylov import Basis, Operator, as_operator
from gossamer.analyze.curvature.outermost import Order, Outermost
from gossamer.core.errors import SettingError, StateError
from gossamer.core.given import check_seed

SPARE = (
    2  # start vectors beyond the number wanted: of 900 runs on five equal ones 0, 1, 2, 3 missed one in 261, 2, 0, 0
)
FLOOR = 1e-2  # of the largest magnitude: below, tolerance is of this, as float32 products err by 1e-6 of the largest
KEPT = 8  # Ritz vectors beyond the wanted that a restart keeps at each end


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenvalues λ with their eigenvectors v.

    Args:
        values: the top ones, largest first, then the bottom ones, smallest last; float64 (k,).
        vectors: of length 1, float64 (n, k).
        residuals: ‖Hv - λv‖; an eigenvalue of H lies within this distance of λ. float64 (k,).
        bounds: what the residuals had to reach, float64 (k,).
        top: how many of them are top ones.
        products: products with a vector that were formed.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    bounds: Tensor
    top: int
    products: int

    def rows(self) -> list[dict[str, float | str]]:
        """A row an eigenvalue, for a table.

        Returns:
            Its end of the spectrum, the eigenvalue and its residual.
        """
        pairs = zip(self.values.tolist(), self.residuals.tolist(), strict=True)
        return [
            {"end": "top" if i < self.top else "bottom", "eigenvalue": value, "residual": residual}
            for i, (value, residual) in enumerate(pairs)
        ]


def eigenvalues(
    operator: Operator,
    *,
    top: int = 5,
    bottom: int = 0,
    by: Order = "value",
    tolerance: float = 1e-3,
    max_products: int = 1000,
    max_basis: int = 200,
    seed: int = 0,
) -> Eigenpairs:
    """The largest and smallest eigenvalues by block Lanczos with full reorthogonalization and thick restarts.

    Lanczos from one start vector sees one vector of each eigenspace: it misses the second of two equal eigenvalues, and
    of two nearly equal ones until it has converged far beyond its tolerance. From a random block wider than the number
    wanted it does not, and how fast that converges does not hang on the gaps between them (Musco & Musco 2015,
    arXiv:1504.05477). The basis grows by the residuals of the wanted pairs and of one more at each end, so that what
    has converged costs nothing any more; it is done when the residuals are small and that one more cannot pass the last
    of the wanted. Restarts keep the best vectors (Wu & Simon 2000, SIAM J. Matrix Anal. Appl. 22:602).

    Args:
        operator: symmetric, such as ``hessian(...)``, or a matrix.
        top: how many of the largest.
        bottom: how many of the smallest.
        by: the largest by value, or by magnitude.
        tolerance: the largest residual ‖Hv - λv‖, in units of |λ|, or of a hundredth of the largest |λ| where that is
            more.
        max_products: where to give up.
        max_basis: vectors kept, with their products: memory is ``16 * n * max_basis`` bytes.
        seed: of the start.

    Returns:
        ``top + bottom`` eigenvalues, each with its residual.

    Raises:
        SettingError: none or more eigenvalues than there are, or another setting out of its range.
        StateError: residuals above the tolerance after ``max_products``; they are told.
        DataError: a matrix that is not symmetric.

    Example:
        >>> eigenvalues(torch.diag(torch.tensor([3.0, 3.0, 1.0, -2.0])), top=2, bottom=1).values
        tensor([ 3.0000,  3.0000, -2.0000], dtype=torch.float64)
    """
    check_seed(seed)
    operator, wanted = as_operator(operator), Outermost(top, bottom, by)
    _check(operator.shape[0], wanted, tolerance, max_basis)
    basis = Basis(operator, seed)
    candidates = basis.random(max(top, bottom) + SPARE)
    while True:
        basis.expand(candidates)
        state = _State(basis, wanted, tolerance)
        if state.converged:
            return state.pairs()
        candidates = state.candidates()
        if basis.complete or basis.products + candidates.shape[1] > max_products:
            raise StateError(state.unfinished())
        if basis.size + candidates.shape[1] > max_basis:
            state.restart()


class _State:
    """What a basis knows of the wanted eigenpairs and of a guard next to them at each end."""

    def __init__(self, basis: Basis, wanted: Outermost, tolerance: float) -> None:
        self._basis, self._wanted = basis, wanted
        self._values, self._rotation = basis.ritz()
        self._near = wanted.wider(1).of(self._values)
        self._residuals = basis.residuals(self._values[self._near], self._rotation[:, self._near])
        self._lengths = torch.linalg.vector_norm(self._residuals, dim=0)
        self._asked = torch.isin(self._near, wanted.of(self._values))
        sizes = self._values.abs()
        self._bounds = tolerance * sizes[self._near].clamp_min(FLOOR * float(sizes.max()))

    @property
    def converged(self) -> bool:
        """Whether there are as many as are wanted, each near enough, and no guard can still pass one of them."""
        enough = int(self._asked.sum()) == self._wanted.top + self._wanted.bottom
        return enough and bool((self._lengths <= self._bounds)[self._asked].all()) and self._guarded()

    def _guarded(self) -> bool:
        sizes, top = self._wanted.sizes(self._values)[self._near], self._wanted.top
        asked, bounds = sizes[self._asked], self._bounds[self._asked]
        guards, reach = sizes[~self._asked], self._lengths[~self._asked]
        below = top == 0 or bool((guards + reach <= (asked + bounds)[:top].min()).all())
        above = top == len(asked) or bool((guards - reach >= (asked - bounds)[top:].max()).all())
        return below and above

    def candidates(self) -> Tensor:
        """The residuals that are too long: where the basis should grow."""
        return self._residuals[:, self._lengths > self._bounds]

    def restart(self) -> None:
        """Keep the best vectors only."""
        kept = self._wanted.wider(KEPT).of(self._values)
        self._basis.keep(self._values[kept], self._rotation[:, kept])

    def pairs(self) -> Eigenpairs:
        """What was wanted."""
        chosen = self._near[self._asked]
        vectors = self._basis.vectors @ self._rotation[:, chosen]
        lengths, bounds = self._lengths[self._asked].cpu(), self._bounds[self._asked].cpu()
        return Eigenpairs(
            self._values[chosen].cpu(), vectors.cpu(), lengths, bounds, self._wanted.top, self._basis.products
        )

    def unfinished(self) -> str:
        """What to say instead."""
        advice = "raise max_products or tolerance"
        if self._basis.complete:
            advice = "the products are not symmetric to this precision: raise tolerance, or use a float64 network"
        bounds, reached = (", ".join(f"{x:.2g}" for x in part[self._asked]) for part in (self._bounds, self._lengths))
        return f"expected residuals of at most {bounds}, got {reached} after {self._basis.products} products; {advice}"


def _check(n: int, wanted: Outermost, tolerance: float, max_basis: int) -> None:
    top, bottom, by = wanted.top, wanted.bottom, wanted.by
    if top < 0 or bottom < 0 or not 1 <= top + bottom <= n:
        raise SettingError(
            f"expected 1 to {n} eigenvalues of {n} coordinates, got top={top} and bottom={bottom}; ask for fewer"
        )
    if by not in ("value", "magnitude") or (by == "magnitude" and bottom):
        raise SettingError(
            f"expected by='value', or by='magnitude' with bottom=0, got by={by!r} with bottom={bottom}; the smallest "
            "magnitudes lie inside of the spectrum, where Lanczos does not converge"
        )
    if not tolerance > 0:
        raise SettingError(f"expected a tolerance above 0, got {tolerance}; 1e-3 of the largest eigenvalue is usual")
    needed = min(n, 2 * (top + bottom) + 4 * (SPARE + KEPT))
    if max_basis < needed:
        raise SettingError(f"expected max_basis ≥ {needed}, got {max_basis}; or ask for fewer eigenvalues")
