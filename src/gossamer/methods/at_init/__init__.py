"""Pruning at initialisation: functions of model, loss and data that return masks, to be trained with ``Static``.

All are called alike, ``AT_INIT[name](model, loss_fn, batch_or_loader, sparsity, where=None, seed=0)``, and leave the
model as they found it.
"""

from collections.abc import Callable

from gossamer.core.masks import Masks
from gossamer.methods.at_init.grasp import grasp
from gossamer.methods.at_init.magnitude import magnitude, magnitude_erk, magnitude_uniform
from gossamer.methods.at_init.snip import snip, snip_released
from gossamer.methods.at_init.synflow import synflow

AT_INIT: dict[str, Callable[..., Masks]] = {
    "snip": snip,
    "snip_released": snip_released,
    "grasp": grasp,
    "synflow": synflow,
    "magnitude": magnitude,
    "magnitude_uniform": magnitude_uniform,
    "magnitude_erk": magnitude_erk,
}

__all__ = ["AT_INIT", "grasp", "magnitude", "magnitude_erk", "magnitude_uniform", "snip", "snip_released", "synflow"]
