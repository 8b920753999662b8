"""Several vectors over the live coordinates of a network at once."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gossamer.analyze.live import Coordinates


def chunks(given: Tensor, size: int) -> list[Tensor]:
    """Stretches of a tensor's first dimension; none of nothing, where ``torch.split`` gives an empty one.

    Args:
        given: (n, ...).
        size: of each but the last.

    Returns:
        The stretches.

    Example:
        >>> [len(part) for part in chunks(torch.zeros(5), 2)], chunks(torch.zeros(0), 2)
        ([2, 2, 1], [])
    """
    return [given[start : start + size] for start in range(0, len(given), size)]


def scatter_block(where: Coordinates, vectors: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors per parameter of vectors; the dead get zero.

    Args:
        where: the coordinates.
        vectors: (n, k).
        weights: whose precision and place the parts get, by name.

    Returns:
        (k, ...) by name.

    Example:
        >>> from gossamer.analyze.live import coordinates
        >>> model = torch.nn.Linear(2, 1, bias=False)
        >>> where = coordinates(model, {"weight": torch.tensor([[False, True]])})
        >>> scatter_block(where, torch.tensor([[5.0, 6.0]]), dict(model.named_parameters()))
        {'weight': tensor([[[0., 5.]],
                [[0., 6.]]])}
    """
    made = {}
    for name, part in where.layers():
        weight = weights[name]
        rows = vectors[part].detach().T.to(weight.device, weight.dtype)
        if name in where.alive:
            zeros = torch.zeros(len(rows), weight.numel(), dtype=weight.dtype, device=weight.device)
            rows = zeros.index_copy_(1, where.alive[name], rows)
        made[name] = rows.reshape(-1, *weight.shape)
    return made


def gather_block(where: Coordinates, tensors: Mapping[str, Tensor]) -> Tensor:
    """Vectors of tensors per parameter; the dead are left out.

    Args:
        where: the coordinates.
        tensors: (k, ...) by name; a parameter that is not there is left zero.

    Returns:
        float64 (k, n).

    Example:
        >>> from gossamer.analyze.live import coordinates
        >>> where = coordinates(torch.nn.Linear(2, 1), {"weight": torch.tensor([[False, True]])})
        >>> gather_block(where, {"weight": torch.tensor([[[3.0, 4.0]]])})
        tensor([[4., 0.]], dtype=torch.float64)
    """
    first = next(iter(tensors.values()))
    rows = torch.zeros(len(first), len(where), dtype=torch.float64, device=first.device)
    for name, part in where.layers():
        if name in tensors:
            flat = tensors[name].flatten(1)
            rows[:, part] = (flat[:, where.alive[name]] if name in where.alive else flat).double()
    return rows
