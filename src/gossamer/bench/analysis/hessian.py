"""Curvature over the live weights: extreme eigenvalues, the whole spectrum or its density, the trace (P3)."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from math import floor, log10
from pathlib import Path
from typing import Any

from torch import nn

from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.curvature import ROUNDING, measured
from gossamer.bench.analysis.found import Found, NotHereError, Rows, kept
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.masks import Masks
from gossamer.figure.histogram import Spectrum, Values, histogram
from gossamer.figure.lines import Curve, Panel, lines

END = "end"
LINEAR = 1e-3  # of the largest magnitude: about where the logarithmic axis turns linear
DEEP = 1e-6  # of its peak, how far down a density is shown
MOMENT = ("before", "after")


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """Images, how much of the spectrum, of which moments."""
    steps = run.snapshots() if asked.snapshots else []
    return {"images": asked.images, "exact": asked.exact, "seed": asked.seed, "snapshots": steps}


def find(run: Opened, asked: Asked, advance: Advance) -> Found:
    """The spectrum at the end, and before and after the mask updates around which weights were kept.

    Args:
        run: whose.
        asked: images, snapshots, and whether large networks are decomposed as a whole.
        advance: told of each product with the Hessian.

    Returns:
        Tables ``summary``, ``extremes``, ``eigenvalues``, ``density`` and ``traces``.

    Raises:
        NotHereError: snapshots are asked for, and there are none.
    """
    if asked.snapshots and not run.snapshots():
        raise NotHereError(
            f"expected snapshots before and after mask updates in {run.folder.path}, got none; train it with "
            "`gossamer train ... --trace 100 --snapshots 500`, steps at which the method changes its masks"
        )
    chosen = {name: value for name, value in settings(run, asked).items() if name != "snapshots"}
    found = []
    for moment, model, masks in _moments(run, asked):

        def at_moment(moment: str = moment, model: nn.Module = model, masks: Masks | None = masks) -> Found:
            return measured(run, asked, advance, moment, model, masks)

        found.append(kept(run, "hessian-moment", {**chosen, "moment": moment}, at_moment))
    tables = {name: [row for each in found for row in each.tables[name]] for name in found[0].tables}
    return Found(tables, [note for each in found for note in each.notes])


def draw(found: Found, title: str, stem: Path) -> list[Path]:
    """The spectrum of each moment; before and after a mask update over one another.

    Args:
        found: what ``find`` gave.
        title: of the run.
        stem: path without ending.

    Returns:
        The files.
    """
    images = found.tables["summary"][0]["images"]
    words = f"{title}\neigenvalues of the Hessian over live weights and biases, {images:,} training images"
    paths = []
    if exact := _grouped(found.tables["eigenvalues"]):
        paths += histogram([panel for each in exact.items() for panel in _whole(*each)], words, stem)
    if density := _grouped(found.tables["density"]):
        panels = [_density(*each) for each in density.items()]
        paths += lines(panels, f"{words}: their density", stem.with_name(f"{stem.name}-density"))
    return paths


def _whole(where: str, moments: Mapping[str, Rows]) -> list[Spectrum]:
    """All eigenvalues, on a linear axis and on one that shows small ones of both signs."""
    spectra = [Values(label=when, values=[row["eigenvalue"] for row in rows]) for when, rows in moments.items()]
    largest = max(abs(value) for each in spectra for value in each.values) or 1.0
    linear, rounding = 10.0 ** floor(log10(LINEAR * largest)), ROUNDING * largest
    return [
        Spectrum(spectra=spectra, title=where, rounding=rounding),
        Spectrum(spectra=spectra, title=f"{where}, logarithmic beyond ±{linear:g}", linear=linear, rounding=rounding),
    ]


def _density(where: str, moments: Mapping[str, Rows]) -> Panel:
    """Density of the eigenvalues, down to a millionth of its peak."""
    own = [
        Curve(label=when, x=[row["eigenvalue"] for row in rows], y=[row["density"] for row in rows])
        for when, rows in moments.items()
    ]
    peak = max(height for curve in own for height in curve.y)
    return Panel(
        curves=own, x="eigenvalue", y="density", title=where, log_y=True, marks=(0.0,), low=DEEP * peak, high=2 * peak
    )


def _grouped(rows: Rows) -> dict[str, dict[str, Rows]]:
    """By where, a mask update or the end, and when, before or after it."""
    found: dict[str, dict[str, Rows]] = {}
    for row in rows:
        where, _, when = row["moment"].rpartition(" ")
        found.setdefault(where or END, {}).setdefault(when, []).append(row)
    return found


def _moments(run: Opened, asked: Asked) -> Iterator[tuple[str, nn.Module, Masks | None]]:
    """The network at each moment."""
    for step in run.snapshots() if asked.snapshots else []:
        for moment in MOMENT:
            weights, masks = run.snapshot(step, moment)
            model = deepcopy(run.model)
            model.load_state_dict(weights)
            yield f"step {step} {moment}", model, masks or None
    yield END, run.model, run.alive
