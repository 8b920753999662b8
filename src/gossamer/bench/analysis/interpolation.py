"""The straight line between two runs: is there a barrier, how far are they, do they decide alike (P3, Figure 5)."""

from pathlib import Path
from typing import Any

from torch.nn.functional import cross_entropy

from gossamer.analyze.landscape.agreement import disagreement, independent_disagreement
from gossamer.analyze.landscape.barrier import barrier
from gossamer.analyze.landscape.distance import distance
from gossamer.analyze.landscape.interpolate import interpolate
from gossamer.analyze.landscape.outputs import collect_outputs
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.found import Found
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.errors import DataError, StateError
from gossamer.core.interval import wilson_interval
from gossamer.figure.lines import Curve, Panel, lines


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """Images on which it is measured."""
    return {"images": asked.images, "batch_size": asked.batch_size}


def check_pair(run: Opened, other: Opened) -> None:
    """Refuse runs between which there is no line.

    Args:
        run: one end.
        other: the other end.

    Raises:
        StateError: they are of different architectures.
        DataError: they are of different data.
    """
    sizes = [{name: tuple(tensor.shape) for name, tensor in each.model.state_dict().items()} for each in (run, other)]
    if sizes[0] != sizes[1]:
        odd = [name for name in {**sizes[0], **sizes[1]} if sizes[0].get(name) != sizes[1].get(name)]
        raise StateError(
            f"expected two runs of one architecture, got {run.spec.model} ({run.name}) and {other.spec.model} "
            f"({other.name}), which differ in {len(odd)} tensors, such as {odd[0]}: there is no line between them; "
            "name another run of the same network"
        )
    if run.spec.fingerprint != other.spec.fingerprint:
        raise DataError(
            f"expected two runs on the same data, got {run.bench.data.label} and {other.bench.data.label}; name "
            "another run on the same data set"
        )


def find(run: Opened, asked: Asked, advance: Advance, other: Opened) -> Found:
    """Loss and accuracy at 29 points, the barrier, distances, disagreement.

    Args:
        run: the network at α = 0.
        asked: how many images.
        advance: told what has been done.
        other: the network at α = 1.

    Returns:
        Tables ``path`` and ``summary``.
    """
    ends, masks = (run.model.state_dict(), other.model.state_dict()), (run.alive, other.alive)
    train, test = run.train(asked.images), run.test(asked.images)
    path = interpolate(run.model, *ends, cross_entropy, train, masks=masks, test=test, batch_size=asked.batch_size)
    advance()
    outputs = [collect_outputs(run.model, test, state=end, batch_size=asked.batch_size)[0] for end in ends]
    shares = [float((each.argmax(1) == test[1].cpu()).double().mean()) for each in outputs]
    apart = disagreement(*outputs)
    low, high = wilson_interval(apart, len(test[1]))
    summary = {
        **{f"barrier_{name}": value for name, value in barrier(path).as_dict().items()},
        **{f"test_barrier_{name}": value for name, value in barrier(path, test=True).as_dict().items()},
        "l2": distance(run.model, *ends, masks=masks),
        "cosine": distance(run.model, *ends, kind="cosine", masks=masks),
        "disagreement": apart, "disagreement_low": low, "disagreement_high": high,
        "disagreement_independent": independent_disagreement(shares[0], shares[1], outputs[0].shape[1]),
        "test_accuracy": shares[0], "test_accuracy_other": shares[1],
    }  # fmt: skip
    return Found({"path": path.rows(), "summary": [summary]})


def draw(found: Found, title: str, stem: Path) -> list[Path]:
    """Loss on the left, accuracy on the right, marks at both ends.

    Args:
        found: what ``find`` gave.
        title: of both runs.
        stem: path without ending.

    Returns:
        The files.
    """
    rows = found.tables["path"]
    panels = []
    for column, y, scale in (("loss", "loss", 1), ("accuracy", "accuracy (%)", 100)):
        own = [
            Curve(label=label, x=[row["alpha"] for row in rows], y=[scale * row[prefix + column] for row in rows])
            for prefix, label in (("", "training images"), ("test_", "test images"))
        ]
        panels.append(Panel(curves=own, x="α: this run at 0, the other at 1", y=y, marks=(0.0, 1.0)))
    return lines(panels, title, stem)
