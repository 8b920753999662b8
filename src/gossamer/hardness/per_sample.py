"""Gradient norms sample by sample: many at once where the network allows it, else one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy

from gossamer.core.errors import StateError
from gossamer.core.named import CONVOLUTIONS

Tensors = dict[str, Tensor]
GRADIENTS = 2**26  # numbers in the gradients of one chunk: 256 MB in float32
SAMPLES = 256  # of a small network: its activations take memory too


@dataclass(frozen=True)
class PerSample:
    """The gradients of a network's loss, sample by sample.

    Args:
        model: in the modes it is to be used in.
        weights: copies of its parameters, with respect to which gradients are taken.
        masks: bool by name; dead weights do not count.
    """

    model: nn.Module
    weights: Tensors
    masks: Mapping[str, Tensor]

    def chunk(self) -> int:
        """As many samples as ``GRADIENTS`` and ``SAMPLES`` allow."""
        each = sum(weight.numel() for weight in self.weights.values())
        return min(SAMPLES, max(1, GRADIENTS // each))

    def norms(self, images: Tensor, labels: Tensor, chunk: int, vectorize: bool | None) -> Tensor:
        """The gradient norm of each sample, see ``grand``.

        Args:
            images: (N, ...).
            labels: (N,).
            chunk: samples at a time.
            vectorize: at once, one after the other, or (None) what is faster and works.

        Returns:
            float64 (N,), on the weights' device.

        Raises:
            StateError: `vectorize` is True and the network cannot be vectorized.
        """
        device = next(iter(self.weights.values())).device
        chunks = list(zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True))
        if vectorize or (vectorize is None and self._gains(device)):
            try:
                return torch.cat([self._at_once(*_moved(part, device)) for part in chunks])
            except RuntimeError as error:  # of many kinds: whatever vmap has no rule for
                if vectorize:
                    raise StateError(
                        f"grand: torch.func.vmap cannot run this network ({str(error).splitlines()[0]}); lower chunk "
                        "where memory ran out, else pass vectorize=False: sample by sample, the same result"
                    ) from error
        return torch.cat([self._in_turn(*_moved(part, device)) for part in chunks])

    def _gains(self, device: torch.device) -> bool:
        """On a CPU vmap turns the weight gradient of a convolution into a grouped convolution, which is slow there."""
        return device.type != "cpu" or not any(isinstance(module, CONVOLUTIONS) for module in self.model.modules())

    def _at_once(self, images: Tensor, labels: Tensor) -> Tensor:
        # No graph need be kept: inside of `grad` gradients are taken all the same. vmap has no rule for the CPU's fused
        # attention, and warns of it.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            return self._norms(vmap(grad(self._loss()), in_dims=(None, 0, 0))(self.weights, images, labels))

    def _in_turn(self, images: Tensor, labels: Tensor) -> Tensor:
        loss = self._loss()
        norms = []
        for image, label in zip(images, labels, strict=True):
            with torch.enable_grad():
                value = loss(self.weights, image, label)
            found = torch.autograd.grad(value, list(self.weights.values()), materialize_grads=True)
            norms.append(self._norms({name: part[None] for name, part in zip(self.weights, found, strict=True)}))
        return torch.cat(norms)

    def _loss(self) -> "_Loss":
        """With copies of the buffers: a module that writes into its own changes nothing outside."""
        return _Loss(self.model, {name: buffer.detach().clone() for name, buffer in self.model.named_buffers()})

    def _norms(self, gradients: Tensors) -> Tensor:
        """From (B, ...) of each parameter to (B,)."""
        parts = []
        for name, gradient in gradients.items():
            if name in self.masks:
                gradient = gradient.masked_fill(~self.masks[name].to(gradient.device), 0)
            parts.append(torch.linalg.vector_norm(gradient.reshape(len(gradient), -1), dim=1, dtype=torch.float64))
        norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        return norms


@dataclass(frozen=True)
class _Loss:
    """The loss of one sample as a function of the weights."""

    model: nn.Module
    buffers: Tensors

    def __call__(self, weights: Tensors, image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(self.model, {**self.buffers, **weights}, (image.unsqueeze(0),))
        return cross_entropy(logits, label.unsqueeze(0))


def _moved(part: tuple[Tensor, Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Clones where they were made in inference mode: autograd cannot save such tensors."""
    images, labels = (tensor.clone() if tensor.is_inference() else tensor for tensor in part)
    return images.to(device), labels.to(device, torch.int64)
