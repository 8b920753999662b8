"""The floating-point operations of a whole training, integrated over its schedule.

The convention is that of RigL (Evci et al. 2020, arXiv:1911.11134): a training step costs three forward
passes: the forward pass itself, the gradient of the inputs and the gradient of the weights. Optimizer and upkeep of
masks are left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gossamer.analyze.flops import LayerCost, check_counted
from gossamer.core.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of training during which no layer's number of live weights changed.

    Attributes:
        steps: optimizer steps, 0 or more.
        live: live weights of each layer; layers that it does not name are dense. None: all dense.
        dense_gradient_steps: how many of these steps computed the weight gradient densely, as RigL's growth does.
    """

    steps: int
    live: Mapping[str, int] | None = None
    dense_gradient_steps: int = 0

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise SettingError(f"a segment has {self.steps} steps; pass 0 or more")
        if not 0 <= self.dense_gradient_steps <= self.steps:
            raise SettingError(
                f"dense_gradient_steps {self.dense_gradient_steps} is outside [0, {self.steps}]: "
                f"they are some of the segment's {self.steps} steps"
            )


@dataclass(frozen=True)
class TrainingFlops:
    """The cost of a training.

    Attributes:
        total: operations, over all samples and steps.
        relative: total divided by the cost of the dense training it is compared with; nan if that costs nothing.
    """

    total: int
    relative: float


def training_flops(
    segments: Iterable[Segment],
    costs: Mapping[str, LayerCost],
    *,
    batch_size: int,
    dense_steps: int,
    attack_steps: int = 0,
) -> TrainingFlops:
    """Integrate the cost of a training over its schedule.

    With f_D and f_S the forward cost of the dense network and of the network as it is, a step costs 3 f_S: f_S for
    each of the forward pass, the gradient of the inputs and the gradient of the weights. Where the weight gradient is
    dense, the step costs 2 f_S + f_D, which over an interval gives RigL's (3 f_S ΔT + 2 f_S + f_D) / (ΔT + 1).

    Args:
        segments: the training in stretches of constant layer sizes; a dense phase is ``Segment(steps=n)``.
        costs: the network's :func:`~gossamer.analyze.flops.layer_costs`.
        batch_size: samples in a step, at least 1.
        dense_steps: steps of the dense training to compare with, at least 1. For a ticket this is the length of its
            dense phase alone, so that dense training, pruning and training again costs more than 1.
        attack_steps: steps of an attack on each batch, 0 or more; each costs a forward pass and the gradient of the
            inputs, 2 f_S, in the sparse and in the dense training alike.

    Returns:
        The operations of the whole training, and their ratio to the dense training.

    Raises:
        SettingError: batch_size or dense_steps below 1, attack_steps below 0, or live weights that do not fit the
            network.

    Example:
        >>> costs = {"fc.weight": LayerCost(weights=100, flops_per_weight=2)}
        >>> rigl = Segment(steps=10, live={"fc.weight": 10}, dense_gradient_steps=1)
        >>> training_flops([rigl], costs, batch_size=1, dense_steps=10)
        TrainingFlops(total=780, relative=0.13)
    """
    if batch_size < 1 or dense_steps < 1:
        raise SettingError(f"batch_size {batch_size} and dense_steps {dense_steps} must both be at least 1")
    if attack_steps < 0:
        raise SettingError(f"expected attack_steps of 0 or more, got {attack_steps}; 0 is a training without attacks")
    dense, passes = _forward(None, costs), 3 + 2 * attack_steps
    total = batch_size * sum(_segment_flops(segment, costs, dense, passes) for segment in segments)
    reference = batch_size * dense_steps * passes * dense
    return TrainingFlops(total, total / reference if reference else float("nan"))


def _segment_flops(segment: Segment, costs: Mapping[str, LayerCost], dense: int, passes: int) -> int:
    sparse = _forward(segment.live, costs)
    return passes * sparse * segment.steps + (dense - sparse) * segment.dense_gradient_steps


def _forward(live: Mapping[str, int] | None, costs: Mapping[str, LayerCost]) -> int:
    live = live or {}
    for name, count in live.items():
        check_counted(name, costs)
        if not 0 <= count <= costs[name].weights:
            raise SettingError(f"{count} live weights in {name!r}, which has {costs[name].weights}")
    return sum(live.get(name, cost.weights) * cost.flops_per_weight for name, cost in costs.items())
