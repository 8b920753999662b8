"""A map of solutions: points in the plane whose distances are as nearly as possible those of the networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gossamer.core.errors import DataError, SettingError
from gossamer.core.given import check_seed
from gossamer.core.schedule import is_whole

Array = NDArray[np.float64]
EQUAL = 1e-3  # relative: what is nearer than this counts as equal, so that rounding does not choose
COARSE = {"eps": 1e-6, "max_iter": 300}  # scikit-learn's own defaults
FINE = {"eps": 1e-15, "max_iter": 10_000}


@dataclass(frozen=True, eq=False)
class SolutionMap:
    """Networks in the plane.

    Args:
        names: of the networks, K.
        positions: float64 (K, 2) around the origin, in the unit of the distances.
        stress: Kruskal's stress-1, √(Σ (d - δ)² / Σ d²) over pairs, with distances d in the plane and δ given: the
            share of the distances that the plane cannot show. Kruskal 1964 calls 0.05 good, 0.1 fair and 0.2 poor.
    """

    names: tuple[str, ...]
    positions: Array = field(repr=False)
    stress: float

    def rows(self) -> list[dict[str, str | float]]:
        """A table, a row a network.

        Returns:
            Name, x and y.
        """
        return [
            {"name": name, "x": float(x), "y": float(y)}
            for name, (x, y) in zip(self.names, self.positions, strict=True)
        ]


def solution_map(
    distances: Tensor | Array, names: Sequence[str] | None = None, *, starts: int = 32, seed: int = 0
) -> SolutionMap:
    """Metric multidimensional scaling of a distance matrix into the plane, by scikit-learn's SMACOF.

    The best of several starts is kept: the closed-form solution of classical scaling, and random ones. Distances leave
    the turn of a map open, so it is fixed afterwards: the point farthest from the centre lies on the right, and the one
    farthest from that axis above. Of starts, and of points, that are equal to 0.1 % the first counts.

    Args:
        distances: (K, K), symmetric with a diagonal of zeros, as of :func:`gossamer.analyze.pairwise_distances`.
        names: of the networks, for the table; their numbers if None.
        starts: how many are tried.
        seed: of the random ones.

    Returns:
        Positions and stress.

    Raises:
        DataError: it is no such matrix of two networks or more, or there are not as many names.
        SettingError: no starts, or a seed that is no whole number.

    Example:
        >>> found = solution_map(np.array([[0.0, 3.0, 4.0], [3.0, 0.0, 5.0], [4.0, 5.0, 0.0]]), ["a", "b", "c"])
        >>> round(found.stress, 6), round(float(np.hypot(*(found.positions[1] - found.positions[2]))), 3)
        (0.0, 5.0)
    """
    given = _checked(distances)
    labels = tuple(map(str, range(len(given)) if names is None else names))
    if len(labels) != len(given):
        raise DataError(f"expected a name for each of {len(given)} networks, got {len(labels)}")
    if not is_whole(starts) or starts < 1:
        raise SettingError(f"expected a whole number of 1 or more as starts, got {starts!r}")
    check_seed(seed)
    scale = float(given.max())
    if scale == 0:  # all networks are one
        return SolutionMap(labels, np.zeros((len(given), 2)), 0.0)
    wanted = given / scale
    tried = [_descended(wanted, start, COARSE) for start in _starts(wanted, starts, seed)]
    stresses = np.array([stress(positions, wanted) for positions in tried])
    best = int(np.argmax(stresses <= stresses.min() * (1 + EQUAL) + EQUAL))
    positions = _descended(wanted, tried[best], FINE)
    return SolutionMap(labels, scale * turned(positions), stress(positions, wanted))


def stress(positions: Array, distances: Array) -> float:
    """Kruskal's stress-1 of positions.

    Args:
        positions: (K, 2).
        distances: (K, K), those they should have.

    Returns:
        √(Σ (d - δ)² / Σ d²), 0 where they fit.

    Example:
        >>> round(stress(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])), 3)
        0.5
    """
    here = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return float(np.sqrt(((here - distances) ** 2).sum() / (here**2).sum()))


def turned(positions: Array) -> Array:
    """The same figure around the origin, the farthest point on the right, the one farthest from that axis above.

    Args:
        positions: (K, 2).

    Returns:
        (K, 2), the same for every rotation, reflection and shift of it.

    Example:
        >>> turned(np.array([[0.0, 1.0], [0.0, -1.0], [0.5, 0.0], [-0.5, 0.0]])).round(6).tolist()
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]
    """
    centred = positions - positions.mean(0)
    x, y = centred[_first_largest(np.hypot(*centred.T))]
    radius = np.hypot(x, y) or 1.0
    onto_axis = np.array([[x, -y], [y, x]]) / radius
    rotated: Array = centred @ onto_axis
    if rotated[_first_largest(np.abs(rotated[:, 1])), 1] < 0:
        rotated[:, 1] *= -1
    return rotated + 0.0  # no -0.0


def _first_largest(values: Array) -> int:
    return int(np.argmax(values >= values.max() * (1 - EQUAL)))


def _starts(distances: Array, count: int, seed: int) -> list[Array]:
    draws = np.random.default_rng(seed)
    return [_classical(distances), *(draws.standard_normal((len(distances), 2)) for _ in range(count - 1))]


def _classical(distances: Array) -> Array:
    """Torgerson's scaling: the two leading eigenvectors of the centred squared distances."""
    count = len(distances)
    centring = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(-centring @ distances**2 @ centring / 2)
    placed: Array = vectors[:, -1:-3:-1] * np.sqrt(np.maximum(values[-1:-3:-1], 0))
    return placed


def _descended(distances: Array, start: Array, until: Mapping[str, Any]) -> Array:
    """SMACOF from a start; unlike those of ``MDS``, the function's settings have one name from release 1.4 to 1.9."""
    from sklearn.manifold import smacof  # heavy, and only here

    positions, _ = smacof(distances, init=start, n_init=1, normalized_stress=False, **until)
    return np.asarray(positions, dtype=np.float64)


def _checked(distances: Tensor | Array) -> Array:
    given = np.asarray(distances.cpu() if isinstance(distances, Tensor) else distances, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or len(given) < 2:
        raise DataError(f"expected a matrix (K, K) of distances with K ≥ 2, got shape {given.shape}")
    if not np.isfinite(given).all() or (given < 0).any():
        raise DataError("expected finite distances of 0 or more, got others; has a network diverged?")
    if np.diagonal(given).any() or not np.allclose(given, given.T, rtol=1e-5, atol=0):
        raise DataError(
            "expected a symmetric matrix with zeros on its diagonal, got another; pass distances, not similarities"
        )
    return np.asarray((given + given.T) / 2)
