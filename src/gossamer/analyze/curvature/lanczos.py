"""The density of a Hessian's eigenvalues, by Lanczos quadrature."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.analyze.curvature.krylov import Operator, as_operator
from gossamer.core.errors import SettingError
from gossamer.core.given import check_seed

TINY = 1e-8  # of the largest coefficient: what is left then is rounding, the Krylov space is exhausted


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """How the eigenvalues of an (n, n) matrix lie.

    Args:
        grid: positions, float64 (points,).
        density: there, integrating to 1 over the real line, float64 (points,).
        nodes: Ritz values of each probe, float64 (probes, steps).
        weights: their shares, each probe's summing to 1, float64 (probes, steps).
        width: standard deviation of the Gaussian of each node.
    """

    grid: Tensor
    density: Tensor
    nodes: Tensor
    weights: Tensor
    width: float

    def rows(self) -> list[dict[str, float]]:
        """A row a point of the grid, for a table.

        Returns:
            Position and density.
        """
        pairs = zip(self.grid.tolist(), self.density.tolist(), strict=True)
        return [{"eigenvalue": place, "density": value} for place, value in pairs]


def spectral_density(
    operator: Operator,
    *,
    steps: int = 80,
    probes: int = 8,
    width: float | None = None,
    points: int = 1000,
    seed: int = 0,
) -> SpectralDensity:
    """Stochastic Lanczos quadrature (Lin, Saad & Yang 2016, arXiv:1308.5467; Ghorbani et al. 2019, arXiv:1901.10159).

    Lanczos from a random vector of length 1 gives Ritz values θᵢ and weights ωᵢ = (first entry of the i-th eigenvector
    of the tridiagonal matrix)², whose mean over probes is the density of the eigenvalues, each broadened to a Gaussian:
    Σᵢ ωᵢ N(t; θᵢ, width²). With full reorthogonalization, without which spurious copies of outer eigenvalues appear.
    Exact in its first 2 · ``steps`` moments for each probe; steps = n gives all eigenvalues that a probe sees.

    Args:
        operator: symmetric, such as ``hessian(...)``, or a matrix.
        steps: of Lanczos, at most n are made; 80 is also the default of hessian-eigenthings.
        probes: random vectors; eight go through the network as one block.
        width: of the Gaussians; None: a hundredth of the range of the nodes, or of their size if all are the same.
        points: of the grid, from 5 widths below the smallest node to 5 above the largest.
        seed: of the probes.

    Returns:
        Grid, density, and what it is made of.

    Raises:
        SettingError: a setting out of its range.

    Example:
        >>> found = spectral_density(torch.diag(torch.tensor([1.0, 2.0])), steps=2, probes=3, width=0.1)
        >>> found.nodes[0]
        tensor([1.0000, 2.0000], dtype=torch.float64)
        >>> round(float(torch.trapezoid(found.density, found.grid)), 3)
        1.0
    """
    check_seed(seed)
    operator = as_operator(operator)
    _check(steps, probes, width, points)
    diagonal, side = _tridiagonal(operator, _probes(operator, probes, seed), min(steps, operator.shape[0]))
    matrices = torch.diag_embed(diagonal) + torch.diag_embed(side, 1) + torch.diag_embed(side, -1)
    nodes, rotations = torch.linalg.eigh(matrices.cpu())
    weights = rotations[:, 0, :] ** 2
    width = _default_width(nodes) if width is None else width
    low, high = float(nodes.min()) - 5 * width, float(nodes.max()) + 5 * width
    grid = torch.linspace(low, high, points, dtype=torch.float64)
    return SpectralDensity(grid, broadened(grid, nodes, weights / probes, width), nodes, weights, width)


def broadened(grid: Tensor, nodes: Tensor, weights: Tensor, width: float) -> Tensor:
    """A sum of Gaussians.

    Args:
        grid: where, (points,).
        nodes: their centres, of any shape.
        weights: their areas, of the same shape.
        width: their standard deviation.

    Returns:
        (points,).

    Example:
        >>> broadened(torch.zeros(1), torch.zeros(1), torch.ones(1), width=1.0)  # 1 / √(2π)
        tensor([0.3989])
    """
    height = 1 / (width * (2 * torch.pi) ** 0.5)
    total = torch.zeros_like(grid)
    for node, weight in zip(nodes.flatten(), weights.flatten(), strict=True):
        total += weight * height * torch.exp(-0.5 * ((grid - node) / width) ** 2)
    return total


def _probes(operator: Operator, count: int, seed: int) -> Tensor:
    """Random directions, (n, count)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(operator.shape[0], count, generator=generator, dtype=torch.float64)
    lengths: Tensor = torch.linalg.vector_norm(drawn, dim=0)
    return (drawn / lengths).to(operator.device)


def _tridiagonal(operator: Operator, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Diagonals (p, steps) and side diagonals of Lanczos from each column of ``start`` (n, p), all in step."""
    known = [start]
    diagonal: list[Tensor] = []
    side: list[Tensor] = []
    for step in range(steps):
        image = (operator @ known[-1]).double()
        diagonal.append((known[-1] * image).sum(0))
        if step + 1 == steps:
            break
        for _ in range(2):
            for vectors in known:
                image = image - vectors * (vectors * image).sum(0)
        length = torch.linalg.vector_norm(image, dim=0)
        scale = torch.stack([*(d.abs() for d in diagonal), *side]).amax(0)
        length = torch.where(length > TINY * scale, length, 0)  # else exhausted: what follows has no weight
        side.append(length)
        known.append(torch.where(length > 0, image / length, 0))
    empty = diagonal[0].new_zeros(len(diagonal[0]), 0)
    return torch.stack(diagonal, 1), torch.stack(side, 1) if side else empty


def _default_width(nodes: Tensor) -> float:
    spread = float(nodes.max() - nodes.min())
    return 0.01 * (spread or float(nodes.abs().max()) or 1.0)


def _check(steps: int, probes: int, width: float | None, points: int) -> None:
    for name, value in (("steps", steps), ("probes", probes), ("points", points)):
        if value < 1 + (name == "points"):
            raise SettingError(f"expected {name} ≥ {1 + (name == 'points')}, got {value}; see spectral_density")
    if width is not None and not width > 0:
        raise SettingError(f"expected a width above 0, got {width}; leave it out for a hundredth of the range")
