"""Gradient flow of a run: along its training where that was traced, and layer by layer at both ends (P3)."""

from pathlib import Path
from typing import Any

from torch.nn.functional import cross_entropy

from gossamer.analyze.flow.effective import effective_flow
from gossamer.analyze.flow.gradient import Gradient, mean_gradient
from gossamer.analyze.flow.norms import norm_of
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.begun import begun
from gossamer.bench.analysis.found import Found, Rows
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.errors import MissingError
from gossamer.figure.lines import Curve, Panel, curves, lines

NO_TRACE = (
    "this run was trained without a trace, so only its first and last weights can be asked; to see the course between "
    "them train it with `gossamer train ... --trace 100`"
)


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """What the flow depends on: its images, those of the trace where there is one."""
    return {"images": asked.images if run.spec.trace is None else run.spec.trace.images}


def find(run: Opened, asked: Asked, advance: Advance) -> Found:
    """The curve and the updates of the trace; norm and effective flow of the first and the last weights.

    Args:
        run: whose.
        asked: how many images.
        advance: told what has been done.

    Returns:
        Tables ``curve``, ``updates``, ``ends`` and ``layers``.
    """
    batch = run.train(settings(run, asked)["images"])
    gradients, notes = {}, [] if run.trace("flow") else [NO_TRACE]
    try:
        first = begun(run)
        gradients["start"] = mean_gradient(
            first.model, cross_entropy, batch, masks=first.masks or None, batch_size=asked.batch_size
        )
    except MissingError as error:
        notes.append(f"the first weights are not known: {error}")
    advance()
    gradients["end"] = mean_gradient(run.model, cross_entropy, batch, masks=run.alive, batch_size=asked.batch_size)
    tables = {"curve": run.trace("flow"), "updates": run.trace("updates")}
    ends = [_end(moment, gradient) for moment, gradient in gradients.items()]
    layers = [row for moment, gradient in gradients.items() for row in _layers(moment, gradient)]
    return Found({**tables, "ends": ends, "layers": layers}, notes)


def draw(found: Found, title: str, stem: Path) -> list[Path]:
    """The norm over training and at mask updates, and the effective flow of each layer.

    Args:
        found: what ``find`` gave.
        title: of the run.
        stem: path without ending.

    Returns:
        The files.
    """
    panels = []
    curve, updates = found.tables["curve"], found.tables["updates"]
    if curve:
        label = "gradient norm"
        own = Curve(label="", x=[row["step"] for row in curve], y=[row["norm"] for row in curve])
        panels.append(Panel(curves=[own], x="step", y=label, title="norm of the live gradient", low=0))
    if updates:
        own = Curve(label="", x=[row["step"] for row in updates], y=[row["change"] for row in updates], line=False)
        panels.append(
            Panel(curves=[own], x="step of the update", y="after − before", title="change at mask updates", levels=(0,))
        )
    panels.append(by_layer(found.tables["layers"]))
    return lines(panels, f"{title}\ngradient flow on training images, without regulariser", stem)


def by_layer(rows: Rows) -> Panel:
    """The norm of each layer's gradient, first and last."""
    names = list(dict.fromkeys(str(row["layer"]) for row in rows))
    placed = [{**row, "place": names.index(row["layer"])} for row in rows if row["l2"] > 0]
    title = "effective flow by layer"
    return Panel(
        curves=curves(placed, "place", "l2", "moment"), x="", y="norm of the layer's live gradient", title=title,
        names=names, log_y=True,
    )  # fmt: skip


def _end(moment: str, gradient: Gradient) -> dict[str, Any]:
    effective = effective_flow(gradient)
    norm = norm_of(gradient)
    return {"moment": moment, "loss": gradient.loss, "norm": norm, "egf_l1": effective.l1, "egf_l2": effective.l2}


def _layers(moment: str, gradient: Gradient) -> Rows:
    return [{"moment": moment, **row} for row in effective_flow(gradient).rows()]
