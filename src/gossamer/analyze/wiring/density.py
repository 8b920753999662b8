"""Density per layer, beside reference distributions at the same sparsity (P1 Figures 7, 11 and 12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gossamer.core import masks as mask_ops
from gossamer.core.distribution import DISTRIBUTIONS, counts
from gossamer.core.errors import DataError, StateError, UnknownNameError

Masks = Mapping[str, Tensor]
Row = dict[str, Any]


@dataclass(frozen=True)
class LayerDensity:
    """One layer of one network, beside one reference.

    Attributes:
        masks: whose masks these are.
        layer: name of the weight.
        weights: its entries.
        live: its live entries.
        reference: name of the distribution or of the other masks.
        expected: live entries that the reference gives this layer: a whole number for a distribution.
    """

    masks: str
    layer: str
    weights: int
    live: int
    reference: str
    expected: float

    def row(self) -> Row:
        """The layer as a row of a table.

        Returns:
            The attributes, and ``density``, ``reference_density`` and their ``difference``.
        """
        density, reference = self.live / self.weights, self.expected / self.weights
        return {
            "masks": self.masks,
            "layer": self.layer,
            "weights": self.weights,
            "live": self.live,
            "density": density,
            "reference": self.reference,
            "reference_density": reference,
            "difference": density - reference,
        }


@dataclass(frozen=True)
class DensityTable:
    """The layers of several networks beside references.

    Attributes:
        layers: grouped by masks, then by reference, in the order of the layers.
    """

    layers: tuple[LayerDensity, ...]

    def rows(self) -> list[Row]:
        """One row for each masks, reference and layer.

        Returns:
            Flat rows; see :meth:`LayerDensity.row`.
        """
        return [layer.row() for layer in self.layers]

    def deviations(self) -> list[Row]:
        """One row for each masks and reference: how far the layers' densities are from it.

        Returns:
            ``masks``, ``reference``, ``sparsity``; ``moved``, the share of live weights that would have to change
            layer to become the reference, ½ Σ |live - expected| / Σ live in [0, 1] (the total variation between the
            two); and the ``largest`` difference of densities with its ``layer``.
        """
        groups: dict[tuple[str, str], list[LayerDensity]] = {}
        for layer in self.layers:
            groups.setdefault((layer.masks, layer.reference), []).append(layer)
        return [{"masks": masks, "reference": name} | _deviation(group) for (masks, name), group in groups.items()]


def density_table(masks: Mapping[str, Masks], references: Sequence[str] = ("erk",)) -> DensityTable:
    """The density of each layer of several networks, and what references would give it at the same sparsity.

    P1 explains its results by these: SET and SNIP keep shallow layers denser than other distributions do.

    Args:
        masks: masks by a name of yours, such as ``{"set": sparsifier.masks, "snip": ...}``, True is alive.
        references: names of distributions (``erk``, ``er``, ``uniform``), taken at each network's own sparsity; or of
            some of the given masks, scaled to its number of live weights. A distribution's name comes first.

    Returns:
        A row for each masks, reference and layer.

    Raises:
        DataError: no masks at all.
        StateError: masks without a live weight, or a reference among the masks that is of another network.
        UnknownNameError: a reference that is neither.

    Example:
        >>> import torch
        >>> alive, dead = torch.ones(4, 4) > 0, torch.zeros(4, 4) > 0
        >>> table = density_table({"first": {"a": alive, "b": dead}}, ["uniform"])
        >>> [(row["layer"], row["density"], row["reference_density"]) for row in table.rows()]
        [('a', 1.0, 0.5), ('b', 0.0, 0.5)]
        >>> table.deviations()[0]["moved"]
        0.5
    """
    if not masks:
        raise DataError("expected masks by a name of yours, got none; pass for instance {'set': sparsifier.masks}")
    layers = []
    for owner, own in masks.items():
        if mask_ops.live(own) == 0:
            raise StateError(f"expected masks with live weights, got none in {owner!r}; a density needs some")
        for reference in references:
            expected = _expected(own, reference, masks)
            layers += [
                LayerDensity(owner, name, mask.numel(), int(mask.count_nonzero()), reference, expected[name])
                for name, mask in own.items()
            ]
    return DensityTable(tuple(layers))


def _expected(own: Masks, reference: str, masks: Mapping[str, Masks]) -> Mapping[str, float]:
    """The live weights of each layer under a reference."""
    if reference in DISTRIBUTIONS:
        sizes = {name: tuple(mask.shape) for name, mask in own.items()}
        return counts(sizes, DISTRIBUTIONS[reference](sizes, mask_ops.sparsity(own)))
    if reference not in masks:
        raise UnknownNameError("reference", reference, [*DISTRIBUTIONS, *masks])
    other = masks[reference]
    mask_ops.check(other, own)
    scale = mask_ops.live(own) / mask_ops.live(other)
    return {name: int(mask.count_nonzero()) * scale for name, mask in other.items()}


def _deviation(layers: list[LayerDensity]) -> Row:
    weights, live = sum(layer.weights for layer in layers), sum(layer.live for layer in layers)
    farthest = max((layer.row() for layer in layers), key=lambda row: abs(row["difference"]))
    return {
        "sparsity": 1 - live / weights,
        "moved": sum(abs(layer.live - layer.expected) for layer in layers) / 2 / live,
        "largest": farthest["difference"],
        "layer": farthest["layer"],
    }
