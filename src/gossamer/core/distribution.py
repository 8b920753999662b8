"""How many weights each layer keeps: ``(shapes, sparsity) -> densities``, exact in total.

Every function returns densities that are whole numbers of weights divided by the layer's size, and whose sum over
the network is ``round((1 - sparsity)·N)`` to the weight, for any sparsity and any layer sizes (largest remainder).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from math import isfinite, prod
from numbers import Real

from gossamer.core.apportion import apportion, check_budget
from gossamer.core.errors import SettingError, UnknownNameError

Shapes = Mapping[str, Sequence[int]]
Densities = dict[str, float]
Distribution = Callable[..., Densities]
Capacity = Mapping[str, int]


def uniform(
    shapes: Shapes, sparsity: float, *, dense: Collection[str] = (), capacity: Capacity | None = None
) -> Densities:
    """The same density in every layer, first layer and classifier included (P1's "Uniform").

    Args:
        shapes: shape of each weight by name.
        sparsity: share of zeros over all of them, in [0, 1).
        dense: names of layers that stay dense; the others then carry the zeros of these too, so that the total holds.
        capacity: most weights a layer may keep alive, by name (an N:M pattern's limit); default its size.

    Returns:
        The density of each layer.

    Raises:
        SettingError: the sparsity is outside [0, 1), or no split reaches it.

    Example:
        >>> uniform({"a": (2, 5), "b": (5, 2)}, 0.5)
        {'a': 0.5, 'b': 0.5}
        >>> uniform({"a": (2, 5), "b": (5, 2)}, 0.25, dense=["a"])
        {'a': 1.0, 'b': 0.5}
    """
    return _fill("uniform", shapes, sparsity, dict.fromkeys(shapes, 1.0), dense, capacity)


def er(shapes: Shapes, sparsity: float, *, dense: Collection[str] = (), capacity: Capacity | None = None) -> Densities:
    """Erdős-Rényi (Mocanu et al. 2018, SET): density of a layer ∝ (n_in + n_out) / (n_in · n_out).

    Only the two channel dimensions count; layers that would pass density 1 are dense and the rest is refilled.

    Args:
        shapes: shape of each weight by name.
        sparsity: share of zeros over all of them, in [0, 1).
        dense: names of layers that stay dense.
        capacity: most weights a layer may keep alive, by name; default its size.

    Returns:
        The density of each layer.

    Raises:
        SettingError: the sparsity is outside [0, 1), or no split reaches it.

    Example:
        >>> er({"a": (10, 10), "b": (100, 10)}, 0.8)
        {'a': 0.34, 'b': 0.186}
    """
    preference = {name: sum(shape[:2]) / prod(shape[:2]) for name, shape in shapes.items()}
    return _fill("ER", shapes, sparsity, preference, dense, capacity)


def erk(shapes: Shapes, sparsity: float, *, dense: Collection[str] = (), capacity: Capacity | None = None) -> Densities:
    """Erdős-Rényi-Kernel (Evci et al. 2020, RigL): density of a layer ∝ Σ shape / Π shape, kernel sizes included.

    P1's footnote 1: sparsity of a convolution grows with 1 - (n_in + n_out + w + h) / (n_in · n_out · w · h).  Layers
    that would pass density 1 are dense and the rest is refilled until all fit.

    Args:
        shapes: shape of each weight by name.
        sparsity: share of zeros over all of them, in [0, 1).
        dense: names of layers that stay dense.
        capacity: most weights a layer may keep alive, by name; default its size.

    Returns:
        The density of each layer.

    Raises:
        SettingError: the sparsity is outside [0, 1), or no split reaches it.

    Example:
        >>> erk({"conv": (16, 16, 3, 3), "fc": (10, 16)}, 0.5)
        {'conv': 0.4652..., 'fc': 1.0}
    """
    preference = {name: sum(shape) / prod(shape) for name, shape in shapes.items()}
    return _fill("ERK", shapes, sparsity, preference, dense, capacity)


def explicit(
    shapes: Shapes,
    sparsity: float,
    *,
    densities: Mapping[str, float],
    dense: Collection[str] = (),
    capacity: Capacity | None = None,
) -> Densities:
    """Densities given by hand, moved to whole weights so that the total is exact.

    Args:
        shapes: shape of each weight by name.
        sparsity: the sparsity the densities amount to, within one weight per layer.
        densities: density wanted for each layer, in [0, 1].
        dense: names of layers that stay dense whatever ``densities`` says.
        capacity: most weights a layer may keep alive, by name; default its size.

    Returns:
        The density of each layer.

    Raises:
        SettingError: a layer is missing, a density is outside [0, 1], or they amount to another sparsity.

    Example:
        >>> explicit({"a": (2, 5), "b": (5, 2)}, 0.5, densities={"a": 0.2, "b": 0.8})
        {'a': 0.2, 'b': 0.8}
    """
    _check_densities(shapes, densities)
    limits, full = _limits(shapes, capacity), _known(dense, shapes)
    budget = live_weights(shapes, sparsity)
    check_budget("the explicit densities", shapes, sparsity, budget, full, limits)
    wanted = {n: float(limits[n]) if n in full else min(densities[n] * prod(shapes[n]), limits[n]) for n in shapes}
    if abs(sum(wanted.values()) - budget) > len(shapes):
        total = sum(map(prod, shapes.values()))
        raise SettingError(
            f"the densities amount to sparsity {1 - sum(wanted.values()) / total:.4f}, asked for {sparsity}; "
            "change the densities or pass that sparsity"
        )
    return _densities(shapes, apportion(wanted, budget, limits, full))


DISTRIBUTIONS: dict[str, Distribution] = {"uniform": uniform, "er": er, "erk": erk}


def scaled(
    shapes: Shapes,
    sparsity: float,
    *,
    densities: Mapping[str, float],
    dense: Collection[str] = (),
    capacity: Capacity | None = None,
) -> Densities:
    """Densities in the proportions given by hand, at any sparsity: how a schedule approaches explicit densities.

    Args:
        shapes: shape of each weight by name.
        sparsity: share of zeros over all of them, in [0, 1).
        densities: proportions between the layers; full layers are dense and the rest is refilled.
        dense: names of layers that stay dense.
        capacity: most weights a layer may keep alive, by name; default its size.

    Returns:
        The density of each layer.

    Example:
        >>> scaled({"a": (2, 5), "b": (5, 2)}, 0.25, densities={"a": 0.2, "b": 0.4})
        {'a': 0.5, 'b': 1.0}
    """
    _check_densities(shapes, densities)
    return _fill("explicit", shapes, sparsity, densities, dense, capacity)


def find(distribution: str | Mapping[str, float]) -> Distribution:
    """The distribution of that name, or one in the proportions of explicit densities.

    Args:
        distribution: one of ``DISTRIBUTIONS``, or a density for each layer.

    Returns:
        The function.

    Raises:
        UnknownNameError: there is none of that name.
        SettingError: neither a name nor densities.

    Example:
        >>> find("erk") is erk
        True
        >>> find({"a": 0.2, "b": 0.8})({"a": (2, 5), "b": (5, 2)}, 0.5)
        {'a': 0.2, 'b': 0.8}
    """
    if isinstance(distribution, Mapping):
        return partial(scaled, densities=distribution)
    if not isinstance(distribution, str):
        raise SettingError(f"expected a distribution's name or densities by layer, got {distribution!r}; 'erk' is one")
    if distribution not in DISTRIBUTIONS:
        raise UnknownNameError("distribution", distribution, DISTRIBUTIONS)
    return DISTRIBUTIONS[distribution]


def check_sparsity(sparsity: float) -> float:
    """The sparsity itself, if it lies in [0, 1).

    Args:
        sparsity: share of zeros.

    Returns:
        The same number.

    Raises:
        SettingError: it does not lie there; a number above 1 is most often a percentage.

    Example:
        >>> check_sparsity(0.9)
        0.9
    """
    given: object = sparsity
    if isinstance(given, bool) or not isinstance(given, Real):
        raise SettingError(f"expected a sparsity in [0, 1), the share of zeros, got {sparsity!r}; 0.9 keeps a tenth")
    if not (isfinite(sparsity) and 0 <= sparsity < 1):
        hint = f"{sparsity} per cent is {sparsity / 100:g}" if 1 < sparsity < 100 else "0.9 keeps a tenth"
        raise SettingError(f"expected a sparsity in [0, 1), the share of zeros, got {sparsity}; {hint}")
    return sparsity


def live_weights(shapes: Shapes, sparsity: float) -> int:
    """The number of weights alive in the whole network: round((1 - sparsity)·N).

    Args:
        shapes: shape of each weight by name.
        sparsity: share of zeros, in [0, 1).

    Returns:
        The number of weights.

    Raises:
        SettingError: the sparsity is outside [0, 1).

    Example:
        >>> live_weights({"a": (30, 10), "b": (10, 3)}, 0.9)
        33
    """
    return round((1 - check_sparsity(sparsity)) * sum(map(prod, shapes.values())))


def counts(shapes: Shapes, densities: Mapping[str, float]) -> dict[str, int]:
    """Densities as whole numbers of weights.

    Returns:
        Live weights by layer.

    Example:
        >>> counts({"a": (2, 5)}, {"a": 0.5})
        {'a': 5}
    """
    return {name: round(densities[name] * prod(shape)) for name, shape in shapes.items()}


def _check_densities(shapes: Shapes, densities: Mapping[str, float]) -> None:
    if set(densities) != set(shapes):
        odd = sorted(set(densities) ^ set(shapes))
        raise SettingError(f"expected one density for each of {sorted(shapes)}, got a mismatch in {odd}; name them all")
    wrong = {name: value for name, value in densities.items() if not 0 <= value <= 1}
    if wrong:
        raise SettingError(f"expected densities in [0, 1], got {wrong}; a density is a layer's share of non-zeros")


def _limits(shapes: Shapes, capacity: Capacity | None) -> dict[str, int]:
    return {name: min(prod(shape), (capacity or {}).get(name, prod(shape))) for name, shape in shapes.items()}


def _densities(shapes: Shapes, live: Mapping[str, int]) -> Densities:
    return {name: live[name] / prod(shape) for name, shape in shapes.items()}


def _fill(
    title: str,
    shapes: Shapes,
    sparsity: float,
    preference: Mapping[str, float],
    dense: Collection[str],
    capacity: Capacity | None,
) -> Densities:
    """Densities ε·preference with one ε for all, full layers capped and their surplus given to the others."""
    limits = _limits(shapes, capacity)
    budget = live_weights(shapes, sparsity)
    fixed = _known(dense, shapes)
    full = set(fixed)
    check_budget(title, shapes, sparsity, budget, fixed, limits)
    while True:
        free = {name: preference[name] * prod(shapes[name]) for name in shapes if name not in full}
        left = budget - sum(limits[name] for name in full)
        scale = left / sum(free.values()) if free else 0.0
        over = {name for name, size in free.items() if scale * size > limits[name]}
        if not over:
            break
        full |= over
    wanted = {name: float(limits[name]) if name in full else scale * free[name] for name in shapes}
    return _densities(shapes, apportion(wanted, budget, limits, fixed))


def _known(dense: Collection[str], shapes: Shapes) -> set[str]:
    for name in dense:
        if name not in shapes:
            raise UnknownNameError("layer to keep dense", name, shapes)
    return set(dense)
