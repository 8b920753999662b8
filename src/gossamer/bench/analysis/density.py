"""Density of each layer beside ERK and SNIP, and what became of the masks (P1, Figures 7, 11 and 12)."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.nn.functional import cross_entropy

from gossamer.analyze.wiring.density import density_table
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.begun import begun, drawn
from gossamer.bench.analysis.found import Found, NotHereError, Rows
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.bench.recipes import find as find_recipe
from gossamer.core import masks as mask_ops
from gossamer.core.errors import MissingError, UserError
from gossamer.core.masks import Masks
from gossamer.figure.lines import Curve, Panel, lines
from gossamer.methods import AT_INIT

NO_TRACE = (
    "this run was trained without a trace: to see its masks change train it with `gossamer train ... --trace 100`"
)
OVER_TIME = {
    "overlap_start": "overlap with the start", "survived": "of the start's weights, alive",
    "kept": "kept by the update", "explored": "ever alive (R_s)",
}  # fmt: skip


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """The masks alone decide; SNIP takes the batches of the run's own seed."""
    return {}


def find(run: Opened, asked: Asked, advance: Advance) -> Found:
    """Densities beside references, overlap with the start, and the course of the masks.

    Args:
        run: whose.
        asked: nothing of it is used.
        advance: told what has been done.

    Returns:
        Tables ``layers``, ``references`` and ``over_time``.

    Raises:
        NotHereError: the run is dense.
    """
    if run.alive is None:
        raise NotHereError(f"expected a sparse run to look at its densities, got {run.spec.recipe}: all of it is alive")
    history, notes = run.trace("masks"), []
    notes += [] if history else [NO_TRACE]
    snip = _snip(run, notes)
    advance()
    start = _start(run, notes)
    references = ["erk", "uniform", *(["snip"] if snip else [])]
    table = density_table({"run": run.masks, **({"snip": snip} if snip else {})}, references)
    rows = [row for row in table.rows() if row["masks"] == "run"]
    deviations = [row for row in table.deviations() if row["masks"] == "run"]
    return Found({"layers": _wide(rows, run.masks, start), "references": deviations, "over_time": history}, notes)


def draw(found: Found, title: str, stem: Path) -> list[Path]:
    """Densities by layer, and shares of the masks over time.

    Args:
        found: what ``find`` gave.
        title: of the run.
        stem: path without ending.

    Returns:
        The files.
    """
    layers, history = found.tables["layers"], found.tables["over_time"]
    names = [str(row["layer"]).removesuffix(".weight") for row in layers]
    shown = {"density": "this run", "erk": "ERK", "snip": "SNIP", "uniform": "uniform"}
    own = [
        Curve(label=label, x=range(len(names)), y=[row[column] for row in layers])
        for column, label in shown.items()
        if column in layers[0]
    ]
    panel = Panel(curves=own, x="", y="density", names=names, low=0)
    paths = lines([panel], f"{title}\ndensity of each layer", stem, plain=("uniform",))
    if len(history) > 1:
        courses = [_course(history, column, label) for column, label in OVER_TIME.items()]
        age = _course(history, "age", "")
        panels = [
            Panel(curves=courses, x="step", y="share", low=0, high=1.02),
            Panel(curves=[age], x="step", y="steps since birth, mean of the live weights", low=0),
        ]
        paths += lines(panels, f"{title}\nmasks over time", stem.with_name(f"{stem.name}-over_time"))
    return paths


def _course(history: Rows, column: str, label: str) -> Curve:
    known = [row for row in history if row[column] is not None]
    return Curve(label=label, x=[row["step"] for row in known], y=[row[column] for row in known])


def _wide(rows: Rows, masks: Masks, start: Masks | None) -> Rows:
    """One row a layer, a column a reference."""
    overlaps = None if start is None else mask_ops.overlap(masks, start)
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        own = {name: row[name] for name in ("layer", "weights", "live", "density")}
        found.setdefault(row["layer"], own)[row["reference"]] = row["reference_density"]
    if start is not None and overlaps is not None:
        for name, row in found.items():
            row |= {"start": float(start[name].float().mean()), "overlap_start": overlaps[name]}
    return list(found.values())


def _snip(run: Opened, notes: list[str]) -> Masks | None:
    """What SNIP would choose at this run's seed and sparsity."""
    model, batches = drawn(run)
    chosen: Mapping[str, Any] = find_recipe("snip").resolve("snip", {})
    choose: Any = AT_INIT["snip"]
    try:
        with warnings.catch_warnings():  # a layer that SNIP kills stands in the table as 0
            warnings.simplefilter("ignore")
            masks = choose(model, cross_entropy, batches, run.spec.sparsity, seed=run.spec.seed, **chosen)
    except UserError as error:
        notes.append(f"no SNIP beside it: {error}")
        return None
    if set(masks) != set(run.masks):
        notes.append("no SNIP beside it: it would select other weights than this run did")
        return None
    return dict(masks)


def _start(run: Opened, notes: list[str]) -> Masks | None:
    """The masks that the run began with."""
    try:
        return begun(run).masks
    except MissingError as error:
        notes.append(f"no overlap with the start: {error}")
        return None
