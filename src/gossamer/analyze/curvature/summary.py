"""A spectrum of a Hessian in a few numbers."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError


@dataclass(frozen=True, kw_only=True)
class EigenvalueSummary:
    """What tables say of a spectrum.

    Args:
        count: eigenvalues.
        smallest: of them.
        largest: of them.
        negative: how many lie below ``-bound``.
        negative_share: ``negative / count``.
        positive: how many lie above ``bound``.
        bound: up to which an eigenvalue counts as zero.
        trace: their sum.
    """

    count: int
    smallest: float
    largest: float
    negative: int
    negative_share: float
    positive: int
    bound: float
    trace: float

    def as_dict(self) -> dict[str, float]:
        """A row of a table.

        Returns:
            The numbers by name.
        """
        return asdict(self)


def summarize_eigenvalues(values: Tensor, *, tolerance: float = 1e-5) -> EigenvalueSummary:
    """How far a spectrum reaches, and how much of it is negative.

    A negative eigenvalue is a direction in which the loss falls faster than its slope says: an update of RigL creates
    some, as P3 observes (Evci et al. 2022, arXiv:2010.03533).

    Args:
        values: all eigenvalues, such as ``exact_hessian(...).eigenvalues``, (n,).
        tolerance: what counts as zero, in units of the largest magnitude. Those of a LeNet5 in float32 are known to
            2e-7 of it.

    Returns:
        The summary.

    Raises:
        DataError: no eigenvalues, or some that are not finite.
        SettingError: a negative tolerance.

    Example:
        >>> found = summarize_eigenvalues(torch.tensor([-1.0, 0.0, 0.0, 3.0]))
        >>> found.smallest, found.largest, found.negative, found.negative_share
        (-1.0, 3.0, 1, 0.25)
    """
    if values.dim() != 1 or len(values) == 0 or not bool(values.isfinite().all()):
        raise DataError(
            f"expected finite eigenvalues of shape (n,), at least one, got shape {tuple(values.shape)} with "
            f"{int((~values.isfinite()).sum())} that are not finite; pass all eigenvalues of one matrix"
        )
    if not tolerance >= 0:
        raise SettingError(f"expected a tolerance of 0 or more, got {tolerance}; 1e-5 stands above float32's rounding")
    bound = tolerance * float(values.abs().max())
    negative = int((values < -bound).sum())
    return EigenvalueSummary(
        count=len(values),
        smallest=float(values.min()),
        largest=float(values.max()),
        negative=negative,
        negative_share=negative / len(values),
        positive=int((values > bound).sum()),
        bound=bound,
        trace=float(torch.sum(values, dtype=torch.float64)),
    )
