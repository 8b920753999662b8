"""The size of a gradient at one moment of a training (P3: Evci et al. 2022, arXiv:2010.03533)."""

from collections.abc import Mapping

from torch import Tensor, nn

from gossamer.analyze.flow.gradient import Gradient, mean_gradient, p_norm
from gossamer.analyze.passes import Data, Loss
from gossamer.core.errors import SettingError


def gradient_norm(
    model: nn.Module,
    loss: Loss,
    data: Data,
    *,
    masks: Mapping[str, Tensor] | None = None,
    masked_only: bool = False,
    batch_size: int = 1000,
) -> float:
    """P3's measure of gradient flow: ‖∇L‖₂ over the live coordinates, on a fixed subset, without regulariser.

    A gradient step of size η lowers the loss by η‖∇L‖² to first order.

    Args:
        model: the network, asked in evaluation mode.
        loss: of (outputs, labels), the mean over the batch.
        data: as :class:`~gossamer.analyze.passes.Passes` takes it; P3 has the same 1,000 training images throughout.
        masks: bool by parameter name, True is alive.
        masked_only: leave out parameters without mask. Default: biases and norms count, as in P3's released code,
            which takes the norm over all trainable variables, masked where they have a mask.
        batch_size: samples at once, where a pair is given.

    Returns:
        A number of 0 or more.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.ones_(model.weight), nn.init.zeros_(model.bias)
        >>> samples = torch.tensor([[2.0, 2.0]]), torch.zeros(1, 1)  # ½ (2 a + 2 b + c)² at (1, 1, 0)
        >>> gradient_norm(model, lambda outputs, labels: outputs.square().mean() / 2, samples)  # 4 · ‖(2, 2, 1)‖
        12.0
    """
    return norm_of(mean_gradient(model, loss, data, masks=masks, batch_size=batch_size), masked_only)


def layer_norms(
    model: nn.Module, loss: Loss, data: Data, *, masks: Mapping[str, Tensor] | None = None, batch_size: int = 1000
) -> dict[str, float]:
    """The l2 norm of the masked gradient of each parameter.

    Args:
        model: the network, asked in evaluation mode.
        loss: of (outputs, labels), the mean over the batch.
        data: as :class:`~gossamer.analyze.passes.Passes` takes it.
        masks: bool by parameter name, True is alive.
        batch_size: samples at once, where a pair is given.

    Returns:
        Numbers by parameter name, biases included; their squares add up to that of :func:`gradient_norm`.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.ones_(model.weight), nn.init.zeros_(model.bias)
        >>> samples = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1)  # ½ (3 a + 4 b + c)² at (1, 1, 0)
        >>> layer_norms(model, lambda outputs, labels: outputs.square().mean() / 2, samples)
        {'weight': 35.0, 'bias': 7.0}
    """
    return mean_gradient(model, loss, data, masks=masks, batch_size=batch_size).norms()


def norm_of(gradient: Gradient, masked_only: bool = False) -> float:
    """The l2 norm of a gradient that was measured before.

    Args:
        gradient: from :func:`~gossamer.analyze.flow.gradient.mean_gradient`.
        masked_only: leave out parameters without mask.

    Returns:
        A number of 0 or more.

    Raises:
        SettingError: only masked parameters were asked for, and there are none.
    """
    masked = gradient.coordinates.alive
    if masked_only and not masked:
        raise SettingError("expected masks to leave out what has none, got none; pass masks=, or masked_only=False")
    return p_norm([part for name, part in gradient.layers().items() if not masked_only or name in masked])
