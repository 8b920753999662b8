"""A growing orthonormal basis in which a symmetric operator is looked at."""

from typing import Protocol

import torch
from torch import Tensor

from gossamer.core.errors import DataError

FRESH = 1e-3  # share of its length that must be new; residuals of a Krylov space differ by rounding only, 1e-7 of it


class Operator(Protocol):
    """A symmetric matrix, known by its products with blocks of vectors; a tensor is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, n)."""

    @property
    def device(self) -> torch.device:
        """Where products are."""

    def __matmul__(self, vectors: Tensor, /) -> Tensor:
        """(n, k) to (n, k)."""


def as_operator(given: Operator) -> Operator:
    """A matrix in float64, anything else as it is.

    Args:
        given: an operator or a matrix.

    Returns:
        An operator.

    Raises:
        DataError: a matrix that is not symmetric.

    Example:
        >>> as_operator(torch.eye(1))
        tensor([[1.]], dtype=torch.float64)
    """
    if not isinstance(given, Tensor):
        return given
    if given.dim() != 2 or given.shape[0] != given.shape[1] or not torch.allclose(given, given.T):
        raise DataError(
            f"expected a symmetric matrix, got shape {tuple(given.shape)}, or entries that differ from their mirror "
            "images; pass (matrix + matrix.T) / 2"
        )
    return given.double()


class Basis:
    """Orthonormal vectors V that grow, their products W = HV, and T = VᵀHV, in which H is looked at.

    T is kept in full, so that any vectors may join and V may be cut back.

    Args:
        operator: H, (n, n).
        seed: of random vectors.

    Attributes:
        vectors: V, float64 (n, m).
        products: products with a vector that were formed.

    Example:
        >>> basis = Basis(torch.diag(torch.tensor([1.0, 2.0, 4.0]).double()), seed=0)
        >>> basis.expand(basis.random(3))
        >>> basis.ritz()[0]
        tensor([1.0000, 2.0000, 4.0000], dtype=torch.float64)
    """

    def __init__(self, operator: Operator, seed: int) -> None:
        self._operator, self._generator = operator, torch.Generator().manual_seed(seed)
        self._n, self.products = operator.shape[0], 0
        self.vectors = torch.zeros(self._n, 0, dtype=torch.float64, device=operator.device)
        self._images = self.vectors
        self._projected = self.vectors.new_zeros(0, 0)

    @property
    def size(self) -> int:
        """How many vectors there are, m."""
        return self.vectors.shape[1]

    @property
    def complete(self) -> bool:
        """Whether they span the whole space."""
        return self.size == self._n

    def random(self, count: int) -> Tensor:
        """Standard normal vectors, the same on every device.

        Args:
            count: how many.

        Returns:
            (n, count).
        """
        return torch.randn(self._n, count, generator=self._generator, dtype=torch.float64).to(self.vectors.device)

    def expand(self, candidates: Tensor) -> None:
        """Let vectors join, and a random one if none of them adds a direction to a basis that lacks some.

        Args:
            candidates: (n, k).
        """
        if self.complete:
            return
        joining = self._new_directions(candidates)
        while joining.shape[1] == 0:
            joining = self._new_directions(self.random(1))
        images = (self._operator @ joining).double()
        across, corner = self.vectors.T @ images, joining.T @ images
        corner = (corner + corner.T) / 2  # products in float32 are symmetric up to rounding
        self._projected = torch.cat([torch.cat([self._projected, across], 1), torch.cat([across.T, corner], 1)])
        self.vectors, self._images = torch.cat([self.vectors, joining], 1), torch.cat([self._images, images], 1)
        self.products += images.shape[1]

    def ritz(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues and eigenvectors of T.

        Returns:
            (m,), ascending, and (m, m): V times a column of it is the Ritz vector.
        """
        found = torch.linalg.eigh(self._projected)
        return found.eigenvalues, found.eigenvectors

    def residuals(self, values: Tensor, rotation: Tensor) -> Tensor:
        """Hv - λv of Ritz pairs, from the products themselves; orthogonal to V.

        Args:
            values: λ, (k,).
            rotation: (m, k).

        Returns:
            (n, k).
        """
        return self._images @ rotation - self.vectors @ (rotation * values)

    def keep(self, values: Tensor, rotation: Tensor) -> None:
        """Cut the basis back to some Ritz vectors (a thick restart).

        Args:
            values: of these Ritz pairs, (k,).
            rotation: (m, k).
        """
        self.vectors, self._images = self.vectors @ rotation, self._images @ rotation
        self._projected = torch.diag(values)

    def _new_directions(self, candidates: Tensor) -> Tensor:
        """Of those that add a direction an orthonormal block, orthogonal to the basis; as many as there is room for."""
        joining = torch.zeros_like(candidates)
        lengths = torch.linalg.vector_norm(candidates, dim=0)
        candidates = candidates - self.vectors @ (self.vectors.T @ candidates)
        count = 0
        for column, length in zip(candidates.unbind(1), lengths, strict=True):
            column, left = self._orthogonal(column, joining[:, :count])
            if left > FRESH * length and self.size + count < self._n:
                joining[:, count] = self._orthogonal(column / left, joining[:, :count])[0]
                joining[:, count] /= torch.linalg.vector_norm(joining[:, count])
                count += 1
        return joining[:, :count]

    def _orthogonal(self, column: Tensor, joining: Tensor) -> tuple[Tensor, Tensor]:
        """To all that is known, and its length then; done twice it is so to rounding (Parlett 1998, section 6.9)."""
        for known in (self.vectors, joining):
            column = column - known @ (known.T @ column)
        return column, torch.linalg.vector_norm(column)
