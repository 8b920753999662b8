"""A budget of whole weights shared among layers, exact in total."""

from collections.abc import Mapping, Sequence
from math import floor, prod

from gossamer.core.errors import SettingError


def apportion(wanted: Mapping[str, float], budget: int, limits: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers near ``wanted`` that sum to the budget, within the limits: largest remainder (Hamilton).

    Args:
        wanted: real numbers by layer.
        budget: what the whole numbers sum to, at most the sum of the limits.
        limits: the most each layer can hold.

    Returns:
        Whole numbers by layer; none is zero while another layer has more than one.

    Example:
        >>> apportion({"a": 1.5, "b": 0.3, "c": 2.2}, 4, {"a": 9, "b": 9, "c": 9})
        {'a': 1, 'b': 1, 'c': 2}
    """
    live = {name: min(floor(value), limits[name]) for name, value in wanted.items()}
    order = sorted(wanted, key=lambda name: (floor(wanted[name]) - wanted[name], -limits[name], name))
    while sum(live.values()) != budget:
        missing = budget - sum(live.values())
        room = [name for name in order if live[name] < limits[name]] if missing > 0 else [n for n in order if live[n]]
        for name in room[: abs(missing)] if missing > 0 else room[missing:]:
            live[name] += 1 if missing > 0 else -1
    # An empty layer cuts the network: none goes empty while another has a weight to spare.
    for name in (name for name in wanted if live[name] == 0 and limits[name] > 0):
        richest = max(live, key=live.__getitem__)
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
            f"{_thousands(sum(limits.values()))}; raise sparsity to ≥ {1 - sum(limits.values()) / total:.4g}"
        )


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")
