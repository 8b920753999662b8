"""The whole Hessian of a small sparse network, and all of its eigenvalues."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.rows import hessian_rows
from gossamer.analyze.curvature.summary import EigenvalueSummary, summarize_eigenvalues
from gossamer.analyze.live import Coordinates
from gossamer.analyze.passes import Data, Loss
from gossamer.core.errors import SettingError

Progress = Callable[[int, int], None]
BLOCK = 32  # columns at once
LARGEST = 20_000  # coordinates: 3.2 GB for the matrix, as much again for its eigenvalues


@dataclass(frozen=True, eq=False)
class ExactHessian:
    """The Hessian of the mean loss over all live coordinates.

    Args:
        matrix: symmetric, float64 (n, n), on the CPU.
        asymmetry: the largest |Hᵢⱼ - Hⱼᵢ| of what was computed both ways, in units of the largest |Hᵢⱼ|, a measure of
            rounding; ``matrix`` has the mean of both.
        coordinates: what its rows are.
        loss: the mean loss.
    """

    matrix: Tensor
    asymmetry: float
    coordinates: Coordinates = field(repr=False)
    loss: float

    @cached_property
    def eigenvalues(self) -> Tensor:
        """All of them, ascending, float64 (n,)."""
        values: Tensor = torch.linalg.eigvalsh(self.matrix)
        return values

    def summary(self, tolerance: float = 1e-5) -> EigenvalueSummary:
        """Its spectrum in a few numbers.

        Args:
            tolerance: what counts as zero, in units of the largest magnitude.

        Returns:
            See ``summarize_eigenvalues``.
        """
        return summarize_eigenvalues(self.eigenvalues, tolerance=tolerance)


def exact_hessian(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    masks: Mapping[str, Tensor] | None = None,
    batch_size: int = 200,
    block: int = BLOCK,
    by_units: bool | None = None,
    progress: Progress | None = None,
) -> ExactHessian:
    """The Hessian over the live coordinates in full.

    Its products with unit vectors: one of a parameter costs only what the network does behind that parameter, as the
    rest of its row is the mirror image of another one. Linear layers that see one row of inputs a sample are taken
    unit by unit instead of weight by weight. Time is linear in the samples: a LeNet5 at 95 % (2,446 coordinates) takes
    16 to 25 s for 2,000 images on one core.

    Args:
        model: wrappers are looked through. Left as found.
        loss: from outputs and labels to the mean over the batch.
        data: ``(inputs, labels)``, a list of such batches, or a ``DataLoader`` that does not shuffle.
        masks: bool by parameter name, True is alive; parameters without one, such as biases, are alive as a whole.
        batch_size: samples at once, where a pair is given.
        block: columns at once; memory grows with ``block * batch_size``.
        by_units: whether linear layers are taken unit by unit; None: where a random product on the first batch
            confirms it, which fails if samples mix.
        progress: told of work done and work in all, as it goes.

    Returns:
        The matrix, with its eigenvalues.

    Raises:
        SettingError: more than 20,000 coordinates, or ``batch_size`` or ``block`` below 1.
        StateError: masks that do not fit, nothing to train, a loss that is not finite, or ``by_units=True`` where
            samples mix.
        DataError: data that are not batches of two tensors, or change from one pass to the next.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> data = (torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))
        >>> found = exact_hessian(model, nn.functional.mse_loss, data)  # 2 · mean x xᵀ
        >>> found.eigenvalues, found.asymmetry
        (tensor([1., 4.], dtype=torch.float64), 0.0)
    """
    mean_loss = MeanLoss(model, loss, data, masks=masks, batch_size=batch_size)
    n = len(mean_loss.coordinates)
    _check(n, block)
    rows = hessian_rows(mean_loss, block, by_units)
    upper = torch.zeros(n, n, dtype=torch.float64)
    done, total = 0, n * mean_loss.count
    for batch, share in mean_loss.batches():
        for row, column, entries in rows.of(batch):
            upper[row : row + len(entries), column:] += share * entries.cpu()
            done += len(entries) * len(batch[1])
            if progress is not None:
                progress(done, total)
    matrix, asymmetry = rows.layout.completed(upper)
    return ExactHessian(matrix, asymmetry, mean_loss.coordinates, mean_loss.value)


def _check(n: int, block: int) -> None:
    if n > LARGEST:
        raise SettingError(
            f"expected at most {LARGEST:,} live coordinates, got {n:,}, whose matrix would take {8e-9 * n * n:.1f} GB; "
            "use eigenvalues() or spectral_density() of hessian(), which never form it"
        )
    if block < 1:
        raise SettingError(f"expected a block of 1 column or more, got {block}; it bounds the memory")
