"""Optimizer and learning rate, built from settings."""

from math import ceil

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gossamer.bench.settings import TrainSettings
from gossamer.core.schedule import Cosine


def build_optimizer(model: nn.Module, settings: TrainSettings) -> Optimizer:
    """The optimizer over all parameters, decay where the settings say.

    Args:
        model: the network.
        settings: of the training.

    Returns:
        SGD or AdamW.

    Example:
        >>> build_optimizer(nn.Linear(2, 2), TrainSettings(decay="weights")).param_groups[1]["weight_decay"]
        0.0
    """
    groups = _groups(model, settings)
    if settings.optimizer == "adamw":
        return AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
    return SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )


def build_scheduler(
    optimizer: Optimizer, settings: TrainSettings, steps_per_epoch: int, first_step: int = 0
) -> LambdaLR:
    """The learning rate of every step.

    Args:
        optimizer: whose learning rate it sets.
        settings: of the training.
        steps_per_epoch: optimizer steps an epoch.
        first_step: where in the schedule it starts.

    Returns:
        torch's ``LambdaLR``, to be stepped once an optimizer step.

    Example:
        >>> optimizer = SGD([nn.Parameter(nn.Linear(1, 1).weight)], lr=1.0)
        >>> scheduler = build_scheduler(optimizer, TrainSettings(epochs=4, milestones=(0.5,)), 1)
        >>> [scheduler.lr_lambdas[0](step) for step in range(4)]
        [1.0, 1.0, 0.1, 0.1]
    """
    for group in optimizer.param_groups:
        group["initial_lr"] = settings.lr  # torch asks for it where a schedule starts in the middle
    return LambdaLR(optimizer, lambda step: factor(step, settings, steps_per_epoch), last_epoch=first_step - 1)


def factor(step: int, settings: TrainSettings, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied with at a step.

    Args:
        step: from 0.
        settings: of the training.
        steps_per_epoch: optimizer steps an epoch.

    Returns:
        A number in [0, 1], for gamma ≤ 1.

    Example:
        >>> factor(5, TrainSettings(epochs=10, schedule="cosine"), 1)
        0.5
    """
    total = settings.epochs * steps_per_epoch
    warmup = ceil(settings.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "cosine":
        return Cosine(1.0, 0.0, min(warmup, total), total)(step)
    if settings.schedule == "multistep":
        return float(settings.gamma ** sum(step >= round(share * total) for share in settings.milestones))
    return 1.0


def _groups(model: nn.Module, settings: TrainSettings) -> list[dict[str, object]]:
    params = list(model.parameters())
    if settings.decay == "all":
        return [{"params": params}]
    vectors = [p for p in params if p.dim() < 2]
    groups: list[dict[str, object]] = [{"params": [p for p in params if p.dim() >= 2]}]
    return [*groups, {"params": vectors, "weight_decay": 0.0}] if vectors else groups
