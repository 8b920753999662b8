"""P3's figure 5: straight lines to the pruned network, and a map of all solutions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from gossamer.analyze.landscape.barrier import barrier
from gossamer.analyze.landscape.distance import pairwise_distances
from gossamer.analyze.landscape.interpolate import interpolate
from gossamer.analyze.landscape.mds import solution_map
from gossamer.bench.finished import Finished
from gossamer.bench.lab import initial_weights
from gossamer.bench.reproduce.done import Done
from gossamer.bench.reproduce.kept import Kept

State = Mapping[str, Tensor]
BATCH = 250  # images at once: two thirds of the time of 1000 (LeNet5, one core)


@dataclass(frozen=True)
class End:
    """Where a line to the pruned network begins.

    Args:
        name: such as ``lottery_end``.
        run: whose weights.
        trained: its last ones, or those it began with.
    """

    name: str
    run: Finished
    trained: bool

    def weights(self) -> State:
        """The weights, dead ones included."""
        if self.trained:
            return self.run.weights
        origin = self.run.spec.origin
        ticket = origin is not None and origin.weights == "initial"
        return initial_weights(origin.run if origin is not None and ticket else self.run.spec, self.run.bench)


def ends(done: Done) -> list[End]:
    """Where lines to the pruned network begin: tickets and scratch networks, at the start and at the end.

    Args:
        done: the experiment.

    Returns:
        The ends; all tickets have one start, the pruned run's own.
    """
    tickets, scratch = done.runs["lottery"], done.runs["scratch"]
    return [
        End("lottery_start", tickets[0], trained=False),
        *(End("lottery_end", run, trained=True) for run in tickets),
        *(End("scratch_start", run, trained=False) for run in scratch),
        *(End("scratch_end", run, trained=True) for run in scratch),
    ]


@dataclass(frozen=True)
class Line:
    """What was measured on one line.

    Args:
        name: of its end.
        seed: of that run.
        points: alpha, loss, accuracy, test_loss, test_accuracy.
        barrier: the columns of ``gossamer.analyze.Barrier``.
    """

    name: str
    seed: int
    points: list[dict[str, float]]
    barrier: dict[str, float]


def lines(done: Done, kept: Kept, tick: Callable[[], None] = lambda: None) -> list[Line]:
    """Loss, accuracy and barrier on the line from each end to the pruned network, under its masks.

    Args:
        done: the experiment.
        kept: where lines that are measured are kept.
        tick: called after each line.

    Returns:
        The lines.
    """
    found = []
    for end in ends(done):
        seed = end.run.spec.seed
        line = kept.get(f"line-{end.name}-{seed}", partial(_line, done, end))
        found.append(Line(end.name, seed, **line))
        tick()
    return found


def _line(done: Done, end: End) -> dict[str, Any]:
    pruned = done.pruned
    found = interpolate(
        pruned.model(), end.weights(), pruned.weights, cross_entropy, done.training_images(),
        masks=pruned.masks, test=done.test_images(), batch_size=BATCH,
    )  # fmt: skip
    return {"points": found.rows(), "barrier": barrier(found).as_dict()}


def point_rows(found: list[Line]) -> list[dict[str, Any]]:
    """All points of all lines.

    Args:
        found: of ``lines``.

    Returns:
        line, seed, alpha, loss, accuracy, test_loss, test_accuracy.
    """
    return [{"line": line.name, "seed": line.seed, **point} for line in found for point in line.points]


def barrier_rows(found: list[Line]) -> list[dict[str, Any]]:
    """The barrier of each line.

    Args:
        found: of ``lines``.

    Returns:
        line, seed and the columns of ``gossamer.analyze.Barrier``.
    """
    return [{"line": line.name, "seed": line.seed, **line.barrier} for line in found]


def solutions(done: Done) -> tuple[list[dict[str, Any]], float, list[dict[str, Any]]]:
    """The map of tickets, scratch networks and the pruned one by their L2 distances.

    Args:
        done: the experiment.

    Returns:
        A row a point (group, seed, x, y), the stress of the map, and a row a network: its L2 distance and cosine
        distance to the pruned network.
    """
    places = [("pruned", 0, done.pruned.weights), *((end.name, end.run.spec.seed, end.weights()) for end in ends(done))]
    states = [weights for _, _, weights in places]
    model, masks = done.pruned.model(), done.pruned.masks
    distances = pairwise_distances(model, states, masks=masks)
    angles = pairwise_distances(model, states, kind="cosine", masks=masks)
    found = solution_map(distances)
    points = [
        {"group": name, "seed": seed, "x": row["x"], "y": row["y"]}
        for (name, seed, _), row in zip(places, found.rows(), strict=True)
    ]
    to_pruned = [
        {"group": name, "seed": seed, "l2": float(distances[0, at]), "cosine": float(angles[0, at])}
        for at, (name, seed, _) in enumerate(places)
        if at
    ]
    return points, found.stress, to_pruned


def measured(found: list[Line]) -> dict[tuple[str, str], list[float]]:
    """The losses at the places that the paper's figure was read at, and the highest on the way.

    Args:
        found: of ``lines``.

    Returns:
        One number a seed by line and quantity.
    """
    numbers: dict[tuple[str, str], list[float]] = {}
    for line in found:
        for point in line.points:
            numbers.setdefault((line.name, f"loss@{point['alpha']:g}"), []).append(point["loss"])
        numbers.setdefault((line.name, "loss_highest"), []).append(line.barrier["highest_loss"])
    return numbers
