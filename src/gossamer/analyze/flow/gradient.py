"""The gradient of a loss over a whole data set, in the live coordinates."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.analyze.live import Coordinates, check_dead, coordinates
from gossamer.analyze.passes import Data, Loss, Passes, check_finite, check_scalar
from gossamer.core.modes import left_as_found
from gossamer.core.named import unwrap


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of the mean loss over some data.

    Attributes:
        loss: the mean over the samples.
        vector: (n,), the derivative by each live coordinate.
        coordinates: which entry is whose.
    """

    loss: float
    vector: Tensor
    coordinates: Coordinates

    def layers(self) -> dict[str, Tensor]:
        """The part of each parameter, without its dead entries.

        Returns:
            Vectors by name, in the order of the parameters.
        """
        return {name: self.vector[part] for name, part in self.coordinates.layers()}

    def norms(self, order: float = 2) -> dict[str, float]:
        """The size of each parameter's part.

        Args:
            order: p of the p-norm.

        Returns:
            Numbers by name; 0 where nothing is alive.
        """
        return {name: p_norm([part], order) for name, part in self.layers().items()}


def mean_gradient(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    masks: Mapping[str, Tensor] | None = None,
    batch_size: int = 1000,
) -> Gradient:
    """The masked gradient of the mean loss over a data set, without any regulariser.

    The model is asked in evaluation mode; modes, statistics, ``.grad`` and random state are left as found.

    Args:
        model: wrappers such as ``DataParallel`` are looked through.
        loss: of (outputs, labels), the mean over the batch.
        data: as :class:`~gossamer.analyze.passes.Passes` takes it; batches are weighed by their samples.
        masks: bool by parameter name, True is alive; parameters without one, such as biases, count as a whole.
        batch_size: samples at once, where a pair is given; it bounds the memory, not the result.

    Returns:
        The loss, and its gradient by every live weight and every parameter without mask.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, 1.0)
        >>> samples = torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.zeros(2, 1)
        >>> found = mean_gradient(model, nn.functional.mse_loss, samples)  # ½ (a² + 9 b²) at (1, 1)
        >>> found.loss, found.vector
        (5.0, tensor([1., 9.]))
    """
    model = unwrap(model)
    where = coordinates(model, masks)
    check_dead(where)
    vector, total, seen = torch.zeros_like(where.position()), 0.0, 0
    with left_as_found(model):
        for inputs, labels in Passes(data, batch_size):
            value, part = _of_batch(model, loss, inputs.to(vector.device), labels.to(vector.device), where)
            seen += len(labels)
            total += len(labels) * check_finite(value)
            vector.lerp_(part, len(labels) / seen)  # a running mean: a sum over 60 000 samples would lose digits
    return Gradient(total / seen, vector, where)


def p_norm(parts: list[Tensor], order: float = 2) -> float:
    """The p-norm of several tensors as one vector, in double precision.

    Args:
        parts: of any shapes.
        order: p, 1 or more.

    Returns:
        A number, 0 of no entries.

    Example:
        >>> p_norm([torch.tensor([3.0]), torch.tensor([[-4.0]])]), p_norm([torch.tensor([3.0, -4.0])], order=1)
        (5.0, 7.0)
    """
    total = sum(float(part.detach().double().abs().pow(order).sum()) for part in parts)
    return float(total ** (1 / order))


def _of_batch(model: nn.Module, loss: Loss, inputs: Tensor, labels: Tensor, where: Coordinates) -> tuple[float, Tensor]:
    with torch.enable_grad():  # an evaluation under no_grad may ask, too
        value = check_scalar(loss(model(inputs), labels))
        parts = torch.autograd.grad(value, list(where.params.values()), materialize_grads=True)
    return float(value.detach()), where.gather(dict(zip(where.params, parts, strict=True)))
