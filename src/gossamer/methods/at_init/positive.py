"""The network that SynFlow looks at: every weight positive, every norm a fixed scaling, nothing added."""

import torch
from torch import Tensor, nn

from gossamer.core.named import Params, Where
from gossamer.methods.at_init.scoring import working_copy

Norm = (
    nn.BatchNorm1d
    | nn.BatchNorm2d
    | nn.BatchNorm3d
    | nn.SyncBatchNorm
    | nn.InstanceNorm1d
    | nn.InstanceNorm2d
    | nn.InstanceNorm3d
)


def positive_copy(model: nn.Module, where: Where = None, biases: bool = False) -> tuple[nn.Module, Params]:
    """A copy in float64 and eval mode whose parameters are positive and that adds nothing of its own.

    Args:
        model: left as found.
        where: which weights, see ``select``.
        biases: keep what layers add, as magnitudes.

    Returns:
        The copy and its selected weights.

    Example:
        >>> network, weights = positive_copy(nn.Linear(2, 2))
        >>> bool((weights["weight"] > 0).all()), network.bias.tolist()
        (True, [0.0, 0.0])
    """
    network, weights = working_copy(model, where, torch.float64)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.abs_()
            if not biases and "bias" in name.rpartition(".")[2]:
                parameter.zero_()
        for module in network.modules():
            if isinstance(module, Norm):
                _fix_statistics_(module, biases)
    return network.eval(), weights


def _fix_statistics_(module: Norm, means: bool) -> None:
    """Make a norm a fixed positive scaling, also where it has no running statistics and would use the batch's."""
    if module.running_mean is None:
        device = module.weight.device if isinstance(module.weight, Tensor) else None
        module.running_mean = torch.zeros(module.num_features, dtype=torch.float64, device=device)
        module.running_var = torch.ones(module.num_features, dtype=torch.float64, device=device)
        module.track_running_stats = True
    if means:
        module.running_mean.abs_()
    else:
        module.running_mean.zero_()
