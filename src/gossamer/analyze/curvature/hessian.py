"""The Hessian of a sparse network's mean loss over its live weights, as products with vectors."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gossamer.analyze.curvature.blocks import chunks, gather_block, scatter_block
from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.products import Products, Way
from gossamer.analyze.passes import Batch, Data, Loss
from gossamer.core.errors import DataError, SettingError

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

BLOCK = 8  # vectors at once: 0.25, 0.21, 0.19, 0.21, 0.24 s a vector at 2, 4, 8, 16, 32 (LeNet5, 2,000 images)


class HessianOperator:
    """H = ∇²L over the n live coordinates of a network, L its mean loss over a data set; see ``hessian``.

    Args:
        mean_loss: L, at the weights where the Hessian is wanted.
        block: vectors at once.
        way: how products are formed, see ``Products``.

    Attributes:
        coordinates: what the entries of a vector mean.
        loss: L, a number.
        products: how many products with a vector, over all of the data, were formed so far.

    Raises:
        SettingError: ``block`` is below 1.
    """

    def __init__(self, mean_loss: MeanLoss, *, block: int = BLOCK, way: Way | None = None) -> None:
        if block < 1:
            raise SettingError(f"expected a block of 1 vector or more, got {block}; it bounds the memory")
        self._mean_loss, self._block, self._products = mean_loss, block, Products(way)
        self.coordinates, self.loss, self.device = mean_loss.coordinates, mean_loss.value, mean_loss.device
        self.products = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return len(self.coordinates), len(self.coordinates)

    @property
    def way(self) -> Way:
        """How the next product is formed, see ``Products``."""
        return self._products.way

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """H v, or H V for a block of vectors at once.

        The network works in its own precision; the sum over batches is in float64.

        Args:
            vectors: (n,) or (n, k).

        Returns:
            float64, of the same shape, on the network's device.

        Raises:
            DataError: of another shape.
        """
        if vectors.dim() not in (1, 2) or len(vectors) != len(self.coordinates):
            raise DataError(
                f"expected vectors of shape ({len(self.coordinates)},) or ({len(self.coordinates)}, k), one entry a "
                f"live coordinate, got {tuple(vectors.shape)}; build them by coordinates.gather"
            )
        if vectors.dim() == 1:
            return (self @ vectors[:, None])[:, 0]
        with torch.inference_mode(False):
            columns = vectors.detach().clone().T  # a clone, as autograd keeps no tensor of inference mode
            parts = chunks(columns, self._block)
            blocks = [scatter_block(self.coordinates, part.T, self._mean_loss.weights) for part in parts]
            total = torch.zeros(vectors.shape, dtype=torch.float64, device=self.device)
            for batch, share in self._mean_loss.batches() if blocks else ():
                total += share * torch.cat([self._rows(batch, block) for block in blocks]).T
        self.products += vectors.shape[1]
        return total

    def as_linear_operator(self) -> "LinearOperator":
        """The same for ``scipy.sparse.linalg``.

        Returns:
            A float64 operator on numpy arrays.
        """
        from scipy.sparse.linalg import LinearOperator

        def product(vectors: Any) -> Any:
            return (self @ torch.as_tensor(vectors, device=self.device)).cpu().numpy()

        return LinearOperator(self.shape, matvec=product, rmatvec=product, matmat=product, rmatmat=product, dtype=float)

    def _rows(self, batch: Batch, vectors: dict[str, Tensor]) -> Tensor:
        """(k, n), of one batch."""
        mean_loss = self._mean_loss
        found = self._products(lambda at: mean_loss.at(at, batch), mean_loss.weights, vectors, list(mean_loss.weights))
        return gather_block(self.coordinates, found)


def hessian(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    masks: Mapping[str, Tensor] | None = None,
    batch_size: int = 100,
    block: int = BLOCK,
    way: Way | None = None,
) -> HessianOperator:
    """The Hessian of the mean loss over the live coordinates, as an operator on vectors.

    At the weights as they are now: training goes on without changing it. Dead weights are zero and no coordinates, so
    that the curvature is that of the network which trains. Evaluation mode: batch norm does not mix samples and dropout
    is off. Weight decay adds nothing unless ``loss`` contains it. At the kinks of ReLU and max-pooling the derivative
    that torch takes counts: the Hessian is that of the linear piece.

    Args:
        model: wrappers of ``torch.compile`` and data parallelism are looked through. Left as found.
        loss: from outputs and labels to the mean over the batch, such as ``torch.nn.functional.cross_entropy``.
        data: ``(inputs, labels)``, a list of such batches, or a ``DataLoader`` that does not shuffle.
        masks: bool by parameter name, True is alive; parameters without one are alive as a whole.
        batch_size: samples at once, where a pair is given; 100 is fastest for LeNet5 on a CPU (of 50, 100, 250), a GPU
            wants more.
        block: vectors at once; memory grows with ``block * batch_size``.
        way: how products are formed, see ``Products``; default: by blocks where the network allows it.

    Returns:
        ``hessian(...) @ vectors`` are products.

    Raises:
        StateError: masks that do not fit, nothing to train, or a loss that is not finite.
        DataError: data that are not batches of two tensors, or change from one pass to the next.
        SettingError: ``batch_size`` or ``block`` below 1, or another ``way``.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> data = (torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))
        >>> operator = hessian(model, nn.functional.mse_loss, data)  # H = 2 · mean x xᵀ
        >>> operator @ torch.eye(2)
        tensor([[1., 0.],
                [0., 4.]], dtype=torch.float64)
    """
    return HessianOperator(MeanLoss(model, loss, data, masks=masks, batch_size=batch_size), block=block, way=way)
