"""What a record of gradient flow holds, in plain numbers."""

from typing import Any

from gossamer.analyze.flow.effective import effective_flow
from gossamer.analyze.flow.gradient import Gradient
from gossamer.analyze.flow.norms import norm_of

Row = dict[str, Any]
LAYERS = "layers"  # where a record keeps what it knows of each layer


def measured(gradient: Gradient, masked_only: bool) -> Row:
    """One moment of a training.

    Args:
        gradient: of that moment.
        masked_only: whether the norm leaves out parameters without mask.

    Returns:
        ``loss``, ``norm``, ``egf_l1``, ``egf_l2``, and of each layer ``live``, ``l1`` and ``l2``.
    """
    effective = effective_flow(gradient)
    sizes, l1, l2 = gradient.coordinates.sizes(), gradient.norms(1), gradient.norms(2)
    return {
        "loss": gradient.loss,
        "norm": norm_of(gradient, masked_only),
        "egf_l1": effective.l1,
        "egf_l2": effective.l2,
        LAYERS: {name: {"live": size, "l1": l1[name], "l2": l2[name]} for name, size in sizes.items()},
    }


def changed(before: Gradient, after: Gradient, masked_only: bool) -> Row:
    """One mask update.

    Args:
        before: with the old masks.
        after: with the new ones.
        masked_only: whether the norm leaves out parameters without mask.

    Returns:
        ``before``, ``after`` and ``change`` of the norm, of the whole and of each layer, and both losses.
    """
    layers = zip(before.norms().items(), after.norms().values(), strict=True)
    return {
        **_difference(norm_of(before, masked_only), norm_of(after, masked_only)),
        "loss_before": before.loss,
        "loss_after": after.loss,
        LAYERS: {name: _difference(first, second) for (name, first), second in layers},
    }


def without_layers(record: Row) -> Row:
    """A record as a row of the table of the whole network.

    Returns:
        A flat row.

    Example:
        >>> without_layers({"step": 3, "layers": {"a": {"live": 1}, "b": {"live": 2}}})
        {'step': 3}
    """
    return {key: value for key, value in record.items() if key != LAYERS}


def by_layer(records: list[Row]) -> list[Row]:
    """Records as rows of the table of the layers.

    Returns:
        A flat row for each step and layer.

    Example:
        >>> by_layer([{"step": 3, "layers": {"a": {"live": 1}, "b": {"live": 2}}}])
        [{'step': 3, 'layer': 'a', 'live': 1}, {'step': 3, 'layer': 'b', 'live': 2}]
    """
    return [{"step": record["step"], "layer": name, **at} for record in records for name, at in record[LAYERS].items()]


def _difference(before: float, after: float) -> Row:
    return {"before": before, "after": after, "change": after - before}
