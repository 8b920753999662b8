"""What the optimizer remembers of weights that died or were born."""

from typing import Any, Literal

from torch import Tensor, nn
from torch.optim import Optimizer

Newborn = Literal["fresh", "mean"]


def restart_(optimizer: Optimizer, weight: nn.Parameter, *, born: Tensor, survivors: Tensor, how: Newborn) -> None:
    """Let the optimizer forget all but the survivors, in every state tensor that has the weight's shape.

    Args:
        optimizer: any of torch; state it has not made yet needs no restart.
        weight: the parameter.
        born: bool, who lives now and did not before.
        survivors: bool, who lived before and lives on.
        how: ``"fresh"``, as at the first step; ``"mean"``: Adam's second moment gets the mean of the survivors.

    Example:
        >>> import torch
        >>> weight = nn.Parameter(torch.ones(2))
        >>> optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> weight.grad = torch.ones(2)
        >>> optimizer.step()
        >>> restart_(optimizer, weight, born=torch.tensor([True, False]), survivors=torch.tensor([False, True]),
        ...          how="fresh")
        >>> optimizer.state[weight]["momentum_buffer"]
        tensor([0., 1.])
    """
    for key, value in optimizer.state.get(weight, {}).items():
        if isinstance(value, Tensor) and value.shape == weight.shape and value.dim() > 0:
            if how == "mean" and key in ("exp_avg_sq", "max_exp_avg_sq") and bool(survivors.any()):
                typical = value[survivors].mean()
                value.masked_fill_(~survivors, 0).masked_fill_(born, typical)
            else:
                value.masked_fill_(~survivors, _first(key, optimizer, weight))


def _first(key: str, optimizer: Optimizer, weight: nn.Parameter) -> float:
    """The value an optimizer gives this state before the first step: zero but for two."""
    start = {"step_size": "lr", "sum": "initial_accumulator_value"}.get(key)  # Rprop and Adagrad
    return float(_group(optimizer, weight)[start]) if start else 0.0


def _group(optimizer: Optimizer, weight: nn.Parameter) -> dict[str, Any]:
    return next(group for group in optimizer.param_groups if any(weight is other for other in group["params"]))
