"""What ``gossamer analyze`` does: finds each part once, writes its tables and figures, and prints them in short."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from gossamer.bench.analysis import density, flow, hessian, interpolation, kernels, spectrum
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.found import Found, NotHereError, kept, written
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance, bars
from gossamer.core.errors import DataError, SettingError

MOST = 40  # rows of a table on the screen


@dataclass(frozen=True)
class Part:
    """One part of an analysis.

    Args:
        find: what it finds of a run.
        settings: what that depends on.
        draw: its figures.
        shown: columns on the screen, by table.
    """

    find: Callable[[Opened, Asked, Advance], Found]
    settings: Callable[[Opened, Asked], dict[str, Any]]
    draw: Callable[[Any, str, Path], list[Path]]
    shown: Mapping[str, Sequence[str]]


PARTS: dict[str, Part] = {
    "density": Part(density.find, density.settings, density.draw, {
        "layers": ("layer", "weights", "live", "density", "erk", "snip", "overlap_start"),
        "references": ("reference", "moved", "largest", "layer"),
    }),
    "flow": Part(flow.find, flow.settings, flow.draw, {
        "ends": ("moment", "loss", "norm", "egf_l1", "egf_l2"),
    }),
    "kernels": Part(kernels.find, kernels.settings, kernels.draw, {
        "layers": ("layer", "density", "empty_kernels", "dead_inputs", "dead_filters", "input_gini",
                   "input_expected_gini", "output_gini", "output_expected_gini"),
    }),
    "spectrum": Part(spectrum.find, spectrum.settings, spectrum.draw, {
        "summary": ("run", "keep", "clean_accuracy", "mean_accuracy", "half_radius"),
    }),
    "hessian": Part(hessian.find, hessian.settings, hessian.draw, {
        "summary": ("moment", "loss", "coordinates", "top", "bottom", "negative", "trace", "trace_error"),
    }),
}  # fmt: skip
CHEAP = ("density", "flow", "kernels", "spectrum")


def analyze(
    console: Console, run: Opened, asked: Asked, beside: Sequence[Opened] = (), other: Opened | None = None
) -> None:
    """Find, write, draw and print; what was found before is not computed again.

    Args:
        console: where to print.
        run: what is looked into.
        asked: what is wanted.
        beside: runs that the spectrum is shown beside.
        other: the other end of the interpolation.

    Raises:
        NotHereError: a part that was asked for by name has nothing to look at.
        DataError: a run beside it is of other data.
        SettingError: a run is named twice.
    """
    if len({each.spec.key for each in (run, *beside)}) <= len(beside):
        raise SettingError(f"expected other runs beside {run.folder.path}, each once; name each --beside once")
    for each in beside:
        if each.spec.fingerprint != run.spec.fingerprint:
            raise DataError(
                f"expected runs on the same images beside one another, got {run.bench.data.label} and "
                f"{each.bench.data.label} ({each.folder.path}), of other content; name another run"
            )
    if other is not None:
        interpolation.check_pair(run, other)
    console.print(f"{run.title}: {run.folder.path}", soft_wrap=True)
    paths: list[Path] = []
    with bars(console) as begin:
        for name in asked.parts or (() if other is not None else CHEAP):
            try:
                paths += _part(console, run, asked, name, beside, begin)
            except NotHereError as error:
                if name in asked.parts:
                    raise
                console.print(f"{name} is left out: {error}\n", soft_wrap=True)
        if other is not None:
            paths += _between(console, run, other, asked, begin)
    for path in paths:
        console.print(f"{path}", soft_wrap=True)


def _part(
    console: Console, run: Opened, asked: Asked, name: str, beside: Sequence[Opened], begin: Callable[[str], Advance]
) -> list[Path]:
    """One part: found or read, printed, written, drawn."""
    part = PARTS[name]

    def of(each: Opened) -> Found:
        chosen = part.settings(each, asked)
        return kept(each, name, chosen, lambda: part.find(each, asked, begin(f"{name}, {each.name}")), run.folder)

    found = of(run)
    drawn: Any = found
    paths = []
    if name == "spectrum":
        drawn = dict(zip(names([run, *beside]), [found, *map(of, beside)], strict=True))
        together = _together(drawn)
        _print(console, name, together, part.shown)
        paths += written(run, "spectrum-beside", part.settings(run, asked), together) if beside else []
    else:
        _print(console, name, found, part.shown)
    return written(run, name, part.settings(run, asked), found, lambda stem: part.draw(drawn, run.title, stem)) + paths


def _together(found: Mapping[str, Found]) -> Found:
    """The accuracies of all networks in one table, and the notes of the first."""
    tables = {
        table: [{"run": name, **row} for name, each in found.items() for row in each.tables[table]]
        for table in ("summary", "radius")
    }
    return Found(tables, next(iter(found.values())).notes)


def names(runs: Sequence[Opened]) -> list[str]:
    """What runs are called in one legend.

    Args:
        runs: at least one.

    Returns:
        Method and sparsity, with the seed where several share these, with the run's own hash where that is not enough.
    """
    tries = (
        [run.name for run in runs],
        [f"{run.name}, seed {run.spec.seed}" for run in runs],
        [f"{run.name}, {run.spec.key[-12:]}" for run in runs],
    )
    return [
        next((words[place] for words in tries if words.count(words[place]) == 1), tries[-1][place])
        for place in range(len(runs))
    ]


def _between(console: Console, run: Opened, other: Opened, asked: Asked, begin: Callable[[str], Advance]) -> list[Path]:
    """The line to another run; each other run has files of its own."""
    chosen = {**interpolation.settings(run, asked), "other": other.spec.key, "other_weights": other.digest}
    found = kept(run, "interpolate", chosen, lambda: interpolation.find(run, asked, begin("interpolate"), other))
    digest = sha256(f"{other.spec.key} {other.digest}".encode()).hexdigest()[:8]
    name = f"interpolate-{digest}"
    _print(
        console,
        f"interpolate, to {other.name}, seed {other.spec.seed}",
        found,
        {"path": ("alpha", "loss", "accuracy", "test_loss", "test_accuracy", "density")},
    )
    _print_summary(console, found.tables["summary"][0])
    title = f"{run.title}\nto {other.name}, seed {other.spec.seed}, on the straight line"
    return written(run, name, chosen, found, lambda stem: interpolation.draw(found, title, stem))


def _print(console: Console, name: str, found: Found, shown: Mapping[str, Sequence[str]]) -> None:
    """Short tables, and sentences below them."""
    for which, columns in shown.items():
        rows = found.tables[which]
        known = [column for column in columns if any(row.get(column) is not None for row in rows)]
        if not known:
            continue
        table = Table(title=f"{name}: {which.replace('_', ' ')}", box=box.SIMPLE_HEAD, title_justify="left")
        for column in known:
            left = isinstance(rows[0][column], str)
            table.add_column(column.replace("_", " "), justify="left" if left else "right", no_wrap=left)
        for row in rows[:MOST]:
            table.add_row(*(_cell(row.get(column)) for column in known))
        console.print(table)
        if len(rows) > MOST:
            console.print(f"... and {len(rows) - MOST} rows more in the CSV file")
    for note in found.notes:
        console.print(f"{name}: {note}", soft_wrap=True)


def _print_summary(console: Console, numbers: Mapping[str, Any]) -> None:
    console.print(
        f"barrier of the loss {numbers['barrier_loss']:.4g} at α = {numbers['barrier_loss_alpha']:g} (test "
        f"{numbers['test_barrier_loss']:.4g}), of the accuracy {_percent(numbers['barrier_accuracy'])}; L2 distance "
        f"{numbers['l2']:.4g}, cosine distance {numbers['cosine']:.4g}; disagreement on test images "
        f"{_percent(numbers['disagreement'])} [{_percent(numbers['disagreement_low'])}, "
        f"{_percent(numbers['disagreement_high'])}], {_percent(numbers['disagreement_independent'])} if errors were "
        "independent",
        soft_wrap=True,
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
