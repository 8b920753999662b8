"""What was found about signal propagation, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """The deviations of one network.

    Attributes:
        start: name of the initialisation.
        sparsity: share of zeros among the selected weights.
        seed: of masks and weights.
        output: standard deviation of all outputs (before any softmax) over samples and classes together: P3 Figure 1.
        per_output: the mean over the outputs of each one's deviation over the samples: 0 where nothing of the input
            arrives, even if the outputs differ from one another.
        layers: standard deviation of each layer's outputs, before the activation, by name of its weight; over all
            its calls, and absent where it is never called as a module.
    """

    start: str
    sparsity: float
    seed: int
    output: float
    per_output: float
    layers: Mapping[str, float]


@dataclass(frozen=True)
class Propagation:
    """The deviations of all networks.

    Attributes:
        measures: one a seed, sparsity and initialisation.
    """

    measures: tuple[Measure, ...]

    def rows(self) -> list[Row]:
        """A table over seeds.

        Returns:
            ``start``, ``sparsity``, ``seeds`` (how many), ``output`` and ``per_output`` (means over seeds), and their
            ``output_deviation`` and ``per_output_deviation`` over seeds, None of one seed.
        """
        return [
            {"start": start, "sparsity": sparsity, "seeds": len(group)}
            | _over_seeds("output", [one.output for one in group])
            | _over_seeds("per_output", [one.per_output for one in group])
            for (start, sparsity), group in self._groups().items()
        ]

    def layer_rows(self) -> list[Row]:
        """A table over seeds of every layer.

        Returns:
            ``start``, ``sparsity``, ``layer``, and ``output`` and ``output_deviation`` as in ``rows()``.
        """
        return [
            {"start": start, "sparsity": sparsity, "layer": layer}
            | _over_seeds("output", [one.layers[layer] for one in group if layer in one.layers])
            for (start, sparsity), group in self._groups().items()
            for layer in dict.fromkeys(name for one in group for name in one.layers)
        ]

    def _groups(self) -> dict[tuple[str, float], list[Measure]]:
        groups: dict[tuple[str, float], list[Measure]] = {}
        for one in self.measures:
            groups.setdefault((one.start, one.sparsity), []).append(one)
        return groups


def _over_seeds(name: str, values: list[float]) -> Row:
    return {name: fmean(values), f"{name}_deviation": stdev(values) if len(values) > 1 else None}
