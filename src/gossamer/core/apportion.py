"""A budget of whole weights shared among layers, exact in total."""

from collections.abc import Collection, Mapping, Sequence
from math import ceil, floor, prod

from gossamer.core.errors import SettingError


def apportion(
    wanted: Mapping[str, float], budget: int, limits: Mapping[str, int], fixed: Collection[str] = ()
) -> dict[str, int]:
    """Whole numbers near ``wanted`` that sum to the budget, within the limits: largest remainder (Hamilton).

    Args:
        wanted: real numbers by layer.
        budget: what the whole numbers sum to, at most the sum of the limits.
        limits: the most each layer can hold.
        fixed: layers that hold their limit and give nothing away.

    Returns:
        Whole numbers by layer; none is zero while another layer has one to spare.

    Example:
        >>> apportion({"a": 1.5, "b": 0.3, "c": 2.2}, 4, {"a": 9, "b": 9, "c": 9})
        {'a': 1, 'b': 1, 'c': 2}
    """
    live = {name: limits[name] if name in fixed else min(floor(value), limits[name]) for name, value in wanted.items()}
    free = [name for name in wanted if name not in fixed]
    order = sorted(free, key=lambda name: (floor(wanted[name]) - wanted[name], -limits[name], name))
    while missing := budget - sum(live.values()):
        if missing > 0:
            changed, by = [name for name in order if live[name] < limits[name]][:missing], 1
        else:
            changed, by = [name for name in order if live[name]][missing:], -1
        for name in changed:
            live[name] += by
    # An empty layer cuts the network: none goes empty while another has a weight to spare.
    for name in (name for name in free if live[name] == 0 and limits[name] > 0):
        richest = max(free, key=live.__getitem__)
        if live[richest] > 1:
            live[richest] -= 1
            live[name] += 1
    return live


def check_budget(
    title: str,
    shapes: Mapping[str, Sequence[int]],
    sparsity: float,
    budget: int,
    dense: set[str],
    limits: Mapping[str, int],
) -> None:
    """Refuse a budget that the layers kept dense exceed, or that the layers cannot hold.

    Args:
        title: of the distribution, for the message.
        shapes: shape of each weight by name.
        sparsity: what was asked.
        budget: the live weights that it leaves.
        dense: names of layers that stay dense.
        limits: the most each layer can hold.

    Raises:
        SettingError: it cannot be met; the message says what can.
    """
    total = sum(map(prod, shapes.values()))
    held = sum(limits[name] for name in dense)
    if held > budget:
        most = floor(1000 * (1 - held / total)) / 1000
        raise SettingError(
            f"sparsity {sparsity} leaves {title} {_thousands(budget)} weights, but the dense layers {sorted(dense)} "
            f"alone hold {_thousands(held)}; lower sparsity to ≤ {most:g} or pass dense=()"
        )
    if sum(limits.values()) < budget or (dense == set(shapes) and held < budget):
        raise SettingError(
            f"sparsity {sparsity} asks {title} for {_thousands(budget)} live weights, but the layers can hold only "
            f"{_thousands(sum(limits.values()))}; raise sparsity to ≥ {_upwards(1 - sum(limits.values()) / total)}"
        )


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _upwards(share: float) -> str:
    """A share rounded up, so that following the advice helps."""
    return f"{ceil(share * 1e7) / 1e7:.7f}".rstrip("0")
