"""The trace of a Hessian, and of each layer's part of it, from random products."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.analyze.curvature.hessian import HessianOperator
from gossamer.core.errors import SettingError
from gossamer.core.given import check_seed


@dataclass(frozen=True)
class TraceEstimate:
    """An estimated trace.

    Args:
        trace: of the whole Hessian: the sum of its eigenvalues.
        error: the standard error of ``trace``, over probes.
        layers: trace and standard error of the diagonal block of each parameter, by name.
        probes: how many there were.
    """

    trace: float
    error: float
    layers: dict[str, tuple[float, float]] = field(repr=False)
    probes: int

    def rows(self) -> list[dict[str, float | str]]:
        """A row for the whole and one a parameter, for a table.

        Returns:
            Parameter, trace and standard error.
        """
        parts = {"all": (self.trace, self.error), **self.layers}
        return [{"parameter": name, "trace": trace, "error": error} for name, (trace, error) in parts.items()]


def hessian_trace(operator: HessianOperator, *, probes: int = 100, seed: int = 0) -> TraceEstimate:
    """Hutchinson's estimate (1990, Commun. Stat. Simul. Comput. 19:433): the mean of zᵀHz over random signs z.

    Its variance is twice the sum of the squares of the entries off the diagonal; that of a parameter counts its own
    block and, as the others' signs are drawn in the same z, the entries beside it.

    Args:
        operator: of ``hessian(...)``.
        probes: random vectors, at least 2.
        seed: of the signs.

    Returns:
        The trace with its standard error, as a whole and by parameter.

    Raises:
        SettingError: fewer than two probes.

    Example:
        >>> from gossamer.analyze.curvature.hessian import hessian
        >>> model = torch.nn.Linear(2, 1, bias=False)
        >>> data = (torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))
        >>> hessian_trace(hessian(model, torch.nn.functional.mse_loss, data), probes=2)  # diagonal: 1 + 4, exactly
        TraceEstimate(trace=5.0, error=0.0, probes=2)
    """
    if probes < 2:
        raise SettingError(f"expected 2 probes or more, got {probes}; the standard error needs them")
    check_seed(seed)
    n = operator.shape[0]
    generator = torch.Generator().manual_seed(seed)
    signs = (2 * torch.randint(2, (n, probes), generator=generator) - 1).double().to(operator.device)
    products = signs * (operator @ signs)  # (n, probes)
    layers = {name: _estimate(products[part].sum(0)) for name, part in operator.coordinates.layers()}
    trace, error = _estimate(products.sum(0))
    return TraceEstimate(trace, error, layers, probes)


def _estimate(samples: Tensor) -> tuple[float, float]:
    """Mean and standard error of (k,)."""
    return float(samples.mean()), float(samples.std() / len(samples) ** 0.5)
