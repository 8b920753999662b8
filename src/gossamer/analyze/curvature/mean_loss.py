"""The mean loss of a network as a function of its weights, at a moment that is kept."""

from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gossamer.analyze.live import coordinates
from gossamer.analyze.passes import Batch, Data, Loss, Passes, check_finite, check_scalar
from gossamer.core.modes import left_as_found
from gossamer.core.named import unwrap


class MeanLoss:
    """The mean loss over a data set, batch by batch, at a copy of a network's weights and statistics.

    Training the network afterwards changes nothing here, and nothing here changes the network. Dead weights are zero
    in the copy, whatever they are in the network.

    Args:
        model: in any mode; it is asked in evaluation mode.
        loss: from outputs and labels to the mean over the batch.
        data: see ``Passes``.
        masks: bool by parameter name, True is alive.
        batch_size: samples at once, where a pair of tensors is given.

    Attributes:
        model: the network without its wrappers; its own weights play no part.
        coordinates: the live coordinates.
        weights: the trainable parameters by name, copies.
        value: the mean loss.
        count: samples.

    Raises:
        StateError: the loss is not finite, or masks do not fit.
        DataError: the data are not two tensors a batch, or change from one pass to the next.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> model.weight.data.fill_(2.0)
        tensor([[2.]])
        >>> data = (torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
        >>> MeanLoss(model, nn.functional.mse_loss, data).value  # (2² + 6²) / 2
        20.0
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        data: Data,
        *,
        masks: Mapping[str, Tensor] | None = None,
        batch_size: int = 100,
    ) -> None:
        self.model, self._loss, self._passes = unwrap(model), loss, Passes(data, batch_size)
        self.coordinates = coordinates(model, masks)
        with torch.inference_mode(False), torch.no_grad():
            self._still = {name: tensor.detach().clone() for name, tensor in self.model.named_buffers()}
            self._still |= {name: p.detach().clone() for name, p in self.model.named_parameters()}
            for name, mask in (masks or {}).items():
                self._still[name].masked_fill_(~mask.to(self._still[name].device), 0)
        self.weights = {name: self._still.pop(name) for name in self.coordinates.params}
        self.device = next(iter(self.weights.values())).device
        self.value = self._mean()
        self.count = self._passes.count

    def batches(self) -> Generator[tuple[Batch, float], None, None]:
        """One pass, in evaluation mode; what a caller does between two batches is in that mode too.

        Yields:
            A batch on the network's device and its share of the samples.
        """
        with left_as_found(self.model):
            for inputs, labels in self._passes:
                yield (self._placed(inputs), self._placed(labels)), len(labels) / self.count

    def at(self, weights: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """The mean loss of one batch.

        Args:
            weights: by name, all of the trainable parameters.
            batch: inputs and labels.

        Returns:
            A number.
        """
        outputs = functional_call(self.model, {**self._still, **weights}, (batch[0],))
        return self._loss(outputs, batch[1])

    def _mean(self) -> float:
        total, count = 0.0, 0
        with left_as_found(self.model), torch.no_grad():
            for inputs, labels in self._passes:
                value = float(check_scalar(self.at(self.weights, (self._placed(inputs), self._placed(labels)))))
                total, count = total + value * len(labels), count + len(labels)
        return check_finite(total / count)

    def _placed(self, tensor: Tensor) -> Tensor:
        """Cloned where it was made in inference mode: autograd cannot keep such a tensor."""
        with torch.inference_mode(False):
            return (tensor.clone() if tensor.is_inference() else tensor).to(self.device)
