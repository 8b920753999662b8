"""Initialisations with their settings."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.initialize import HE, INITIALIZERS, Fan, Law


@dataclass(frozen=True, kw_only=True)
class Start:
    """How the live weights of a network are drawn.

    Args:
        rule: one of ``core.initialize.INITIALIZERS``: ``dense`` (which then is masked), ``scaled_per_layer`` (Liu et
            al. 2019) or ``scaled_per_neuron`` (P3's).
        scale: variance times fan; 2 is He's, 1 Glorot's.
        fan: inputs of an output, outputs of an input, or the mean of both.
        law: normal or uniform, of the same variance.

    Raises:
        UnknownNameError: there is no such rule.
        SettingError: a scale of 0 or below.

    Example:
        >>> Start(rule="dense")
        Start(rule='dense', scale=2.0, fan='in', law='normal')
    """

    rule: str = "scaled_per_neuron"
    scale: float = HE
    fan: Fan = "in"
    law: Law = "normal"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.rule not in INITIALIZERS:
            raise UnknownNameError("initializer", self.rule, INITIALIZERS)
        if not self.scale > 0:
            raise SettingError(f"expected a scale above 0, got {self.scale}; 2 is He's, 1 Glorot's")

    def draw_(self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor], generator: torch.Generator) -> None:
        """Draw weights in place.

        Args:
            weights: the tensors to fill.
            masks: who lives; the dead become zero.
            generator: on the CPU.
        """
        INITIALIZERS[self.rule](weights, masks, generator, scale=self.scale, fan=self.fan, law=self.law)


GLOROT = Start(rule="dense", scale=1.0, fan="average", law="uniform")

# P3's notebook rigl/rigl_tf2/colabs/MnistProp.ipynb: "Masked Dense" keeps Keras' default, the others have
# scale=2 and 'fanin_normal'; at sparsity 0 it keeps Keras' default for all three
P3_STARTS: Mapping[str, Start] = {
    "dense": GLOROT,
    "scaled_per_layer": Start(rule="scaled_per_layer"),
    "scaled_per_neuron": Start(rule="scaled_per_neuron"),
}
