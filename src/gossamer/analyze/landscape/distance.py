"""How far apart networks of one architecture are, by their weights."""

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from gossamer.analyze.landscape.state_masks import OneOrEach, one_each
from gossamer.analyze.landscape.states import State, state_of
from gossamer.analyze.live import coordinates
from gossamer.core.errors import SettingError, StateError, UnknownNameError


def l2(first: Tensor, second: Tensor) -> float:
    """Euclidean distance ‖a - b‖₂ of two vectors.

    Args:
        first: (n,).
        second: (n,).

    Returns:
        A number of 0 or more, summed in float64.

    Example:
        >>> l2(torch.tensor([0.0, 0.0]), torch.tensor([3.0, 4.0]))
        5.0
    """
    return float(torch.linalg.vector_norm(first.double() - second.double()))


def cosine(first: Tensor, second: Tensor) -> float:
    """Cosine distance 1 - a·b / (‖a‖ ‖b‖) of two vectors.

    Args:
        first: (n,).
        second: (n,).

    Returns:
        A number in [0, 2]: 0 for one direction, 1 for a right angle. Of two vectors of zeros it is 0, and 1 if only
        one is zeros, as the biases of a fresh network often are.

    Example:
        >>> cosine(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
        1.0
    """
    if torch.equal(first, second):
        return 0.0
    one, other = first.double(), second.double()
    norms = float(torch.linalg.vector_norm(one) * torch.linalg.vector_norm(other))
    similarity = float(one @ other) / norms if norms else 0.0
    return min(max(1 - similarity, 0.0), 2.0)  # rounding may leave the range


KINDS = {"l2": l2, "cosine": cosine}


def distance(model: nn.Module, first: State, second: State, *, kind: str = "l2", masks: OneOrEach = None) -> float:
    """Distance of two networks over their live weights and whatever has no mask, such as biases.

    Args:
        model: the architecture; its own weights do not matter. Buffers and frozen parameters do not count.
        first: state dict or module.
        second: state dict or module.
        kind: ``l2`` or ``cosine``.
        masks: of both, or a pair of one each: dead weights are zeros. None takes the states as they are.

    Returns:
        The distance; see :func:`l2` and :func:`cosine`.

    Raises:
        StateError: two architectures, masks that do not fit, weights that are not finite, or nothing trainable.
        UnknownNameError: another kind.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> states = {"weight": torch.tensor([[3.0, 9.0]])}, {"weight": torch.tensor([[1.0, 0.0]])}
        >>> distance(model, *states, masks={"weight": torch.tensor([[True, False]])})
        2.0
    """
    measure = _kind(kind)
    one, other = _vectors(model, [first, second], masks)
    return measure(one, other)


def layer_distances(
    model: nn.Module, first: State, second: State, *, kind: str = "l2", masks: OneOrEach = None
) -> dict[str, float]:
    """Distance of two networks, parameter by parameter; squared and added up, L2 ones are :func:`distance` squared.

    Args:
        model: the architecture; its own weights do not matter.
        first: state dict or module.
        second: state dict or module.
        kind: ``l2`` or ``cosine``.
        masks: of both, or a pair of one each: dead weights are zeros. None takes the states as they are.

    Returns:
        The distance by parameter name.

    Raises:
        StateError: two architectures, masks that do not fit, weights that are not finite, or nothing trainable.
        UnknownNameError: another kind.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> first = {"weight": torch.tensor([[3.0]]), "bias": torch.tensor([1.0])}
        >>> layer_distances(model, first, {"weight": torch.tensor([[1.0]]), "bias": torch.tensor([1.0])})
        {'weight': 2.0, 'bias': 0.0}
    """
    measure = _kind(kind)
    one, other = _vectors(model, [first, second], masks)
    return {name: measure(one[part], other[part]) for name, part in coordinates(model).layers()}


def pairwise_distances(
    model: nn.Module, states: Sequence[State], *, kind: str = "l2", masks: OneOrEach = None
) -> Tensor:
    """Distances of every two of several networks, such as :func:`gossamer.analyze.landscape.mds.solution_map` takes.

    Args:
        model: the architecture; its own weights do not matter.
        states: K state dicts or modules; a copy of each one's parameters is held.
        kind: ``l2`` or ``cosine``.
        masks: of all, or a list of one each: dead weights are zeros. None takes the states as they are.

    Returns:
        float64 (K, K), symmetric with a diagonal of zeros, on the CPU.

    Raises:
        SettingError: fewer than two states, or not as many masks.
        StateError: two architectures, masks that do not fit, weights that are not finite, or nothing trainable.
        UnknownNameError: another kind.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> pairwise_distances(model, [{"weight": torch.tensor([[value]])} for value in (0.0, 1.0, 4.0)])
        tensor([[0., 1., 4.],
                [1., 0., 3.],
                [4., 3., 0.]], dtype=torch.float64)
    """
    measure = _kind(kind)
    if len(states) < 2:
        raise SettingError(f"expected two states or more to measure distances between, got {len(states)}")
    vectors = _vectors(model, states, masks)
    distances = torch.zeros(len(states), len(states), dtype=torch.float64)
    for one, other in combinations(range(len(states)), 2):
        distances[one, other] = distances[other, one] = measure(vectors[one], vectors[other])
    return distances


def _vectors(model: nn.Module, states: Sequence[State], masks: OneOrEach) -> list[Tensor]:
    """Trainable parameters end to end; a dead weight is a zero, which neither distance sees where both have it."""
    where = coordinates(model)
    each = zip(states, one_each(masks, len(states)), strict=True)
    vectors = [where.gather(dict(state_of(model, state, mask))) for state, mask in each]
    if diverged := [number for number, vector in enumerate(vectors) if not bool(vector.isfinite().all())]:
        raise StateError(f"expected finite weights, got others in the states {diverged}; these networks have diverged")
    return vectors


def _kind(kind: str) -> Callable[[Tensor, Tensor], float]:
    if kind not in KINDS:
        raise UnknownNameError("distance", kind, KINDS)
    return KINDS[kind]
