"""The coordinates in which a sparse network can move: its live weights, and whatever has no mask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gossamer.core import masks as mask_ops
from gossamer.core.errors import StateError
from gossamer.core.named import unwrap


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Vectors over the live coordinates of a network, in the order of its parameters.

    Args:
        params: the trainable parameters by name, a tied one once.
        alive: flat positions of the live entries of each masked parameter; one without masks is not in it.

    Example:
        >>> model = nn.Linear(3, 1)
        >>> where = coordinates(model, {"weight": torch.tensor([[True, False, True]])})
        >>> len(where), where.scatter(torch.tensor([5.0, 6.0, 7.0]))
        (3, {'weight': tensor([[5., 0., 6.]]), 'bias': tensor([7.])})
    """

    params: Mapping[str, nn.Parameter] = field(repr=False)
    alive: Mapping[str, Tensor] = field(repr=False)

    def sizes(self) -> dict[str, int]:
        """How many coordinates each parameter has.

        Returns:
            Whole numbers by name.
        """
        return {name: len(self.alive[name]) if name in self.alive else p.numel() for name, p in self.params.items()}

    def __len__(self) -> int:
        """How many there are."""
        return sum(self.sizes().values())

    def gather(self, tensors: Mapping[str, Tensor | None]) -> Tensor:
        """One vector of a tensor per parameter; entries of the dead are left out.

        Args:
            tensors: of the parameters' shapes, by name; None is zeros.

        Returns:
            A vector (n,), differentiable.
        """
        parts = []
        for name, param in self.params.items():
            given = tensors[name]
            flat = (torch.zeros_like(param) if given is None else given).reshape(-1)
            parts.append(flat[self.alive[name]] if name in self.alive else flat)
        return torch.cat(parts)

    def scatter(self, vector: Tensor) -> dict[str, Tensor]:
        """One tensor per parameter of a vector; the dead get zero.

        Args:
            vector: (n,).

        Returns:
            Tensors of the parameters' shapes, by name; differentiable.

        Raises:
            StateError: the vector has another number of entries.
        """
        if vector.shape != (len(self),):
            raise StateError(
                f"expected a vector of {len(self)} live coordinates, got shape {tuple(vector.shape)}; it belongs to "
                "other masks"
            )
        parts = dict(zip(self.params, torch.split(vector, list(self.sizes().values())), strict=True))
        return {name: self._placed(name, part) for name, part in parts.items()}

    def position(self) -> Tensor:
        """Where the network is now: a copy of its live parameters.

        Returns:
            A vector (n,).
        """
        return self.gather(dict(self.params)).detach()

    def layers(self) -> Iterator[tuple[str, slice]]:
        """The stretch of the vector that each parameter has.

        Yields:
            Name and slice.
        """
        start = 0
        for name, size in self.sizes().items():
            yield name, slice(start, start + size)
            start += size

    def _placed(self, name: str, part: Tensor) -> Tensor:
        shape = self.params[name].shape
        if name not in self.alive:
            return part.reshape(shape)
        zeros = torch.zeros(shape.numel(), dtype=part.dtype, device=part.device)
        return zeros.index_copy(0, self.alive[name], part).reshape(shape)


def coordinates(model: nn.Module, masks: Mapping[str, Tensor] | None = None) -> Coordinates:
    """The live coordinates of a network.

    Args:
        model: wrappers such as ``DataParallel`` are looked through.
        masks: bool by parameter name, True is alive; parameters without one, such as biases, are alive as a whole.
            None: nothing is masked.

    Returns:
        All trainable parameters' live entries.

    Raises:
        StateError: a mask of a parameter that is not there or of another shape, or nothing to train.

    Example:
        >>> coordinates(nn.Linear(2, 3)).sizes()
        {'weight': 6, 'bias': 3}
    """
    named = dict(unwrap(model).named_parameters())
    if strangers := sorted(set(masks or {}) - set(named)):
        raise StateError(
            f"expected masks of this model's parameters, got masks of {strangers} besides; these masks belong to "
            "another model, or name a tied weight by its second name"
        )
    mask_ops.check(masks or {}, {name: named[name] for name in masks or {}})
    params = {name: param for name, param in named.items() if param.requires_grad}
    if not params:
        raise StateError("expected a model with parameters that require gradients, got none; call requires_grad_()")
    alive = {
        name: mask.reshape(-1).nonzero().flatten().to(params[name].device)
        for name, mask in (masks or {}).items()
        if name in params
    }
    return Coordinates(params, alive)


def check_dead(where: Coordinates) -> None:
    """Refuse a network whose dead weights are not zero: what is measured would be another network.

    Args:
        where: the coordinates, of masks that should be those of the network.

    Raises:
        StateError: a weight outside of the masks is not zero.

    Example:
        >>> model = nn.Linear(3, 1)
        >>> check_dead(coordinates(model))
    """
    leaks = {
        name: _entries(where.params[name]) - _entries(where.params[name].reshape(-1)[alive])
        for name, alive in where.alive.items()
    }
    if names := [name for name, leaked in leaks.items() if leaked]:
        raise StateError(
            f"expected zeros outside of the masks, got {sum(leaks.values())} other weights in {names}; these masks "
            "are another network's, or its weights were never masked: call gossamer.masks.apply_(params, masks)"
        )


def _entries(weight: Tensor) -> int:
    return int(weight.detach().count_nonzero())
