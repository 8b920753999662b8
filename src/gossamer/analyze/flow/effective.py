"""Effective gradient flow: how much gradient the live weights of each layer get."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor, nn

from gossamer.analyze.flow.gradient import Gradient, mean_gradient
from gossamer.analyze.passes import Data, Loss
from gossamer.core.errors import SettingError


@dataclass(frozen=True)
class LayerFlow:
    """The gradient of one layer's live weights.

    Attributes:
        live: how many there are; l1 / live is the mean magnitude of a weight's gradient.
        l1: sum of magnitudes.
        l2: Euclidean norm.
    """

    live: int
    l1: float
    l2: float


@dataclass(frozen=True)
class EffectiveFlow:
    """The gradients of all layers, each layer counting alike.

    Attributes:
        layers: by name of the weight.
    """

    layers: Mapping[str, LayerFlow]

    @property
    def l1(self) -> float:
        """EGF₁: the mean over the layers of their l1 norms."""
        return fmean(layer.l1 for layer in self.layers.values())

    @property
    def l2(self) -> float:
        """EGF₂: the mean over the layers of their l2 norms."""
        return fmean(layer.l2 for layer in self.layers.values())

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row a layer, for a table.

        Returns:
            ``layer``, ``live``, ``l1`` and ``l2``.
        """
        return [{"layer": name, "live": at.live, "l1": at.l1, "l2": at.l2} for name, at in self.layers.items()]


def effective_gradient_flow(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    masks: Mapping[str, Tensor] | None = None,
    batch_size: int = 1000,
) -> EffectiveFlow:
    """Effective gradient flow (Tessera et al. 2021, arXiv:2102.01670), EGF_p = 1/L · Σ_l ‖g_l ⊙ m_l‖_p.

    The norm of the whole gradient belongs to the few layers with the largest one; here each of the L layers counts
    alike, and gradients of dead weights, which move nothing, do not count.

    Args:
        model: the network, asked in evaluation mode.
        loss: of (outputs, labels), the mean over the batch.
        data: as :class:`~gossamer.analyze.passes.Passes` takes it.
        masks: bool by parameter name, True is alive.
        batch_size: samples at once, where a pair is given.

    Returns:
        The norms of each layer and, as ``l1`` and ``l2``, their means.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.ones_(model.weight), nn.init.zeros_(model.bias)
        >>> samples = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1)  # gradient of ½ (3 a + 4 b + c)² at (1, 1, 0)
        >>> flow = effective_gradient_flow(model, lambda outputs, labels: outputs.square().mean() / 2, samples)
        >>> flow.l1, flow.l2
        (49.0, 35.0)
    """
    return effective_flow(mean_gradient(model, loss, data, masks=masks, batch_size=batch_size))


def effective_flow(gradient: Gradient) -> EffectiveFlow:
    """The effective flow of a gradient that was measured before.

    A layer is a weight tensor: every trainable parameter of two dimensions or more, and whatever else is masked.
    Biases and norms are none, so that a dense network and its sparse twin have the same L.

    Args:
        gradient: from :func:`~gossamer.analyze.flow.gradient.mean_gradient`.

    Returns:
        The norms of each layer.

    Raises:
        SettingError: there is no such layer.
    """
    where = gradient.coordinates
    weights = [name for name, param in where.params.items() if param.dim() >= 2 or name in where.alive]
    if not weights:
        raise SettingError(
            f"expected a trainable weight of two dimensions or more, got {', '.join(where.params)} alone; the flow "
            "per layer needs a layer"
        )
    sizes, l1, l2 = where.sizes(), gradient.norms(1), gradient.norms(2)
    return EffectiveFlow({name: LayerFlow(sizes[name], l1[name], l2[name]) for name in weights})
