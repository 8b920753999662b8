"""The rows of a Hessian, batch by batch, each from its group's first column on."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import torch
from torch import Tensor

from gossamer.analyze.curvature import linear_units
from gossamer.analyze.curvature.blocks import chunks, gather_block, scatter_block
from gossamer.analyze.curvature.layout import Group, Layout, by_parameter
from gossamer.analyze.curvature.linear_layers import LinearLayer, linear_layers
from gossamer.analyze.curvature.mean_loss import MeanLoss
from gossamer.analyze.curvature.products import Products
from gossamer.analyze.passes import Batch
from gossamer.core.errors import StateError

Entries = tuple[int, int, Tensor]  # first row, first column, and the entries from there on
AGREE = 1e-3  # of the length of a product; float32 agrees to 1e-6, samples that mix by a tenth or more
SAMPLES = 32  # that are tried


class HessianRows:
    """All rows of the Hessian of a mean loss, in the order of a layout.

    A parameter's rows are products with unit vectors, ``block`` at a time; linear layers' are found unit by unit.

    Args:
        mean_loss: of the network.
        layers: the linear layers that are taken unit by unit, in the order of their use.
        block: rows, or units, at once.
    """

    def __init__(self, mean_loss: MeanLoss, layers: Mapping[str, LinearLayer], block: int) -> None:
        self._mean_loss, self.layers, self._block, self._products = mean_loss, layers, block, Products()
        of_layers = {name for layer in layers.values() for name in layer.names}
        self._others = [name for name in mean_loss.weights if name not in of_layers]
        groups = by_parameter(mean_loss.coordinates, self._others)
        self.layout = Layout([*groups, *((layer.names, layer.positions) for layer in layers.values())])

    def of(self, batch: Batch) -> Iterator[Entries]:
        """The Hessian of one batch.

        Args:
            batch: inputs and labels, on the network's device.

        Yields:
            First row, first column, and the entries from there to the last column.
        """
        for group in self.layout.groups[: len(self._others)]:
            yield from self._by_products(batch, group)
        if self.layers:
            start = self.layout.groups[len(self._others)].start
            for row, column, entries in linear_units.rows(self._mean_loss, batch, self.layers, self._block):
                yield start + row, start + column, entries

    def matrix(self, batch: Batch) -> Tensor:
        """The Hessian of one batch, (n, n)."""
        n = len(self._mean_loss.coordinates)
        upper = torch.zeros(n, n, dtype=torch.float64)
        for row, column, entries in self.of(batch):
            upper[row : row + len(entries), column:] = entries.cpu()
        return self.layout.completed(upper)[0]

    def _by_products(self, batch: Batch, group: Group) -> Iterator[Entries]:
        mean_loss, (name,) = self._mean_loss, group.names
        weight, where = mean_loss.weights[name], mean_loss.coordinates
        alive = where.alive.get(name, torch.arange(weight.numel(), device=weight.device))
        row = group.start
        for part in chunks(alive, self._block):
            vectors = weight.new_zeros(len(part), weight.numel())
            vectors[torch.arange(len(part)), part] = 1
            found = self._products(
                lambda at: mean_loss.at(at, batch),
                mean_loss.weights,
                {name: vectors.reshape(-1, *weight.shape)},
                self.layout.from_here(group),
            )
            rows = gather_block(where, found)[:, self.layout.order.to(weight.device)]
            yield row, group.start, rows[:, group.start :]
            row += len(part)


def hessian_rows(mean_loss: MeanLoss, block: int, by_units: bool | None = None) -> HessianRows:
    """Unit by unit where that works.

    Args:
        mean_loss: of the network.
        block: rows, or units, at once.
        by_units: None: where a random product confirms it on some samples.

    Returns:
        The rows.

    Raises:
        StateError: ``by_units`` is True, and the network does not allow it.
    """
    plain = HessianRows(mean_loss, {}, block)
    if by_units is False:
        return plain
    layers = linear_layers(mean_loss)
    if layers and _agree(rows := HessianRows(mean_loss, layers, block), mean_loss):
        return rows
    if by_units:
        why = (
            "their rows differ from Hessian products: do samples mix, or is a weight used elsewhere?"
            if layers
            else "there is none"
        )
        raise StateError(
            f"expected linear layers that see one row of inputs a sample, {why}; pass by_units=None, which then takes "
            "their weights one by one"
        )
    return plain


def _agree(rows: HessianRows, mean_loss: MeanLoss) -> bool:
    """Whether a product with a random vector is the same by the rows and without them."""
    where, generator = mean_loss.coordinates, torch.Generator().manual_seed(0)
    vector = torch.randn(len(where), generator=generator, dtype=torch.float64)
    with closing(mean_loss.batches()) as batches:
        (inputs, labels), _ = next(batches)
        batch = inputs[:SAMPLES], labels[:SAMPLES]
        try:
            found = rows.matrix(batch) @ vector
        except RuntimeError:  # whatever torch.func has no rule for
            return False
        vectors = scatter_block(where, vector[:, None], mean_loss.weights)
        known = Products()(lambda at: mean_loss.at(at, batch), mean_loss.weights, vectors, list(vectors))
    expected = gather_block(where, known)[0].cpu()
    return bool(torch.linalg.vector_norm(found - expected) <= AGREE * torch.linalg.vector_norm(expected))
