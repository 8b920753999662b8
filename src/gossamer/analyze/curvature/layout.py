"""In which order the rows of a Hessian are computed, so that about half of its entries need to be."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.analyze.live import Coordinates


@dataclass(frozen=True, eq=False)
class Group:
    """Rows that are computed together, each from the first column of its group on.

    Args:
        names: their parameters.
        positions: their coordinates in the order of the rows, (k,).
        start: the place of the first row.
    """

    names: tuple[str, ...]
    positions: Tensor
    start: int

    @property
    def rows(self) -> slice:
        """Their places."""
        return slice(self.start, self.start + len(self.positions))


class Layout:
    """Groups of rows one after the other: each has its diagonal block and what is right of it.

    Args:
        groups: names and positions of each, in order.

    Example:
        >>> lower = Layout([(("b",), torch.tensor([1])), (("a",), torch.tensor([0]))])
        >>> lower.completed(torch.tensor([[2.0, 5.0], [0.0, 1.0]]))
        (tensor([[1., 5.],
                [5., 2.]]), 0.0)
    """

    def __init__(self, groups: Sequence[tuple[tuple[str, ...], Tensor]]) -> None:
        starts = [sum(len(positions) for _, positions in groups[:i]) for i in range(len(groups))]
        self.groups = [Group(*group, start) for group, start in zip(groups, starts, strict=True)]
        self.order = torch.cat([positions for _, positions in groups])  # the coordinate of each row

    def from_here(self, group: Group) -> list[str]:
        """The parameters of a group and of all behind it."""
        return [name for other in self.groups if other.start >= group.start for name in other.names]

    def completed(self, upper: Tensor) -> tuple[Tensor, float]:
        """The whole matrix, in the order of the coordinates, from the entries that were computed.

        Args:
            upper: (n, n), in the order of the rows; it is overwritten.

        Returns:
            The matrix, and the largest difference of two mirror images in units of the largest entry.
        """
        difference = 0.0
        for group in self.groups:
            corner = upper[group.rows, group.rows]
            mirrored = corner.T.clone()
            difference = max(difference, _largest(corner - mirrored))
            corner.add_(mirrored).div_(2)
            upper[group.rows.stop :, group.rows] = upper[group.rows, group.rows.stop :].T
        place = self.order.argsort()  # of each coordinate
        return upper[place][:, place], difference / (_largest(upper) or 1.0)


def _largest(tensor: Tensor) -> float:
    """The largest magnitude, 0 of nothing."""
    return float(torch.linalg.vector_norm(tensor, torch.inf)) if tensor.numel() else 0.0


def by_parameter(where: Coordinates, names: Sequence[str]) -> list[tuple[tuple[str, ...], Tensor]]:
    """A group for each of some parameters.

    Args:
        where: the coordinates of a network.
        names: of the parameters.

    Returns:
        What ``Layout`` takes.
    """
    parts = dict(where.layers())
    return [((name,), torch.arange(parts[name].start, parts[name].stop)) for name in names]
