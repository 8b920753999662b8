"""Where the zeros lie: live weights of each kernel, and how they crowd on few channels (arXiv:2410.03030, Fig. 5)."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gossamer.analyze.channels.concentration import evenness, expected_evenness, expected_gini, gini
from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from gossamer.core.named import CONVOLUTIONS, unwrap

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True, eq=False)
class LayerSpace:
    """Live weights of one layer, kernel by kernel.

    Attributes:
        name: of the weight.
        counts: live weights of the kernel from each input to each output channel, int64 (groups, inputs, outputs)
            of a group; one group but for grouped convolutions. A linear layer has kernels of one weight.
        kernel: weights of a kernel, dead or alive.
    """

    name: str
    counts: Tensor = field(repr=False)
    kernel: int

    @property
    def live(self) -> int:
        """Live weights."""
        return int(self.counts.sum())

    @property
    def size(self) -> int:
        """Weights, dead or alive."""
        return self.counts.numel() * self.kernel

    @property
    def per_input(self) -> Tensor:
        """Live weights that read each input channel, (inputs,)."""
        return self.counts.sum(2).flatten()

    @property
    def per_output(self) -> Tensor:
        """Live weights of each filter, (outputs,)."""
        return self.counts.sum(1).flatten()

    @property
    def dead_inputs(self) -> list[int]:
        """Input channels that no live weight of this layer reads."""
        return (self.per_input == 0).nonzero().flatten().tolist()

    @property
    def dead_filters(self) -> list[int]:
        """Output channels without a live weight: they are constant."""
        return (self.per_output == 0).nonzero().flatten().tolist()

    def matrix(self) -> Tensor:
        """The counts as one picture.

        Returns:
            int64 (inputs, outputs); -1 where groups leave no kernel.
        """
        groups, inputs, outputs = self.counts.shape
        picture = torch.full((groups, inputs, groups, outputs), -1, dtype=torch.int64)
        own = torch.arange(groups)
        picture[own, :, own] = self.counts
        return picture.reshape(groups * inputs, groups * outputs)

    def row(self) -> dict[str, str | float | int | None]:
        """All numbers about the layer; None for what a layer without a live weight does not have.

        Returns:
            Plain numbers; ``expected_`` ones are means over random masks with as many live weights.
        """
        kernels = self.counts.numel()
        row: dict[str, str | float | int | None] = {
            "layer": self.name,
            "inputs": len(self.per_input),
            "outputs": len(self.per_output),
            "kernel": self.kernel,
            "live": self.live,
            "density": self.live / self.size,
            "empty_kernels": int((self.counts == 0).sum()) / kernels,
            "dead_inputs": len(self.dead_inputs),
            "dead_input_share": len(self.dead_inputs) / len(self.per_input),
            "dead_filters": len(self.dead_filters),
            "dead_filter_share": len(self.dead_filters) / len(self.per_output),
        }
        for side, counts in (("input", self.per_input), ("output", self.per_output)):
            given = len(counts), self.size // len(counts), self.live
            row |= {
                f"{side}_gini": _or_none(gini(counts)),
                f"{side}_expected_gini": _or_none(expected_gini(*given)),
                f"{side}_evenness": _or_none(evenness(counts)),
                f"{side}_expected_evenness": _or_none(expected_evenness(*given)),
            }
        return row


def space(model: nn.Module, masks: Mapping[str, Tensor] | None = None) -> dict[str, LayerSpace]:
    """Count the live weights of each kernel of each convolution and linear layer.

    Args:
        model: any network; it is not run. A tied weight is counted once, under its first name.
        masks: by parameter name, True is alive; a weight without one is alive as a whole. None: what is not zero is
            alive. Masks of other parameters, which have no channels, are left out.

    Returns:
        Counts by name of the weight, in the order of the model's modules.

    Raises:
        SettingError: there is no convolution or linear layer.
        StateError: a mask does not fit its weight.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> found = space(model, {"weight": torch.tensor([[True, True, False], [False, False, False]])})["weight"]
        >>> found.matrix(), found.dead_inputs, found.dead_filters
        (tensor([[1, 0],
                [1, 0],
                [0, 0]]), [2], [1])
        >>> {key: round(value, 2) for key, value in found.row().items() if "gini" in key}
        {'input_gini': 0.33, 'input_expected_gini': 0.4, 'output_gini': 0.5, 'output_expected_gini': 0.2}
    """
    found = {}
    for name, weight, groups, transposed in _layers(unwrap(model)):
        alive = _alive(name, weight, masks)
        found[name] = LayerSpace(name, _counts(alive, groups, transposed), math.prod(weight.shape[2:]))
    if not found:
        raise SettingError("expected a model with a convolution or linear layer, got none; nothing here has channels")
    return found


def space_rows(layers: Mapping[str, LayerSpace]) -> list[dict[str, str | float | int | None]]:
    """A row for each layer.

    Args:
        layers: what :func:`space` found.

    Returns:
        Plain numbers.

    Example:
        >>> [(row["layer"], row["density"]) for row in space_rows(space(nn.Linear(3, 2)))]
        [('weight', 1.0)]
    """
    return [layer.row() for layer in layers.values()]


def _alive(name: str, weight: Tensor, masks: Mapping[str, Tensor] | None) -> Tensor:
    if masks is None:
        return weight.detach() != 0
    if name not in masks:
        return torch.ones_like(weight, dtype=torch.bool)
    mask_ops.check({name: masks[name]}, {name: weight})
    return masks[name]


def _counts(alive: Tensor, groups: int, transposed: bool) -> Tensor:
    """(groups, inputs of a group, outputs of a group)."""
    kernels = (
        alive.flatten(2).count_nonzero(2) if alive.dim() > 2 else alive.long()
    )  # as the weight: out, in or in, out
    grouped = kernels.reshape(groups, -1, kernels.shape[1])
    return (grouped if transposed else grouped.transpose(1, 2)).contiguous().cpu()


def _layers(model: nn.Module) -> Iterator[tuple[str, Tensor, int, bool]]:
    """Name, weight, groups, and whether inputs come first; tied weights come again, under the same name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for prefix, module in model.named_modules():
        for own, weight in _weights(module):
            # pruned by torch.nn.utils.prune, a weight is no parameter but still has its place
            name = names.get(id(weight), f"{prefix}.{own}" if prefix else own)
            yield name, weight, getattr(module, "groups", 1), isinstance(module, TRANSPOSED)


def _weights(module: nn.Module) -> list[tuple[str, Tensor]]:
    if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
        return [("weight", module.weight)]
    if isinstance(module, nn.MultiheadAttention):  # its projections are bare parameters, not linear modules
        names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return [(name, weight) for name in names if isinstance(weight := getattr(module, name), Tensor)]
    return []


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
