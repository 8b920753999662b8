"""``gossamer reproduce``: train what is missing, measure, and write tables, figures and a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from gossamer.bench import show
from gossamer.bench.finished import Finished
from gossamer.bench.place import Bench, environment
from gossamer.bench.reproduce import agreement, figures, flow, lines, signal, spectra
from gossamer.bench.reproduce.beside import beside
from gossamer.bench.reproduce.done import Done
from gossamer.bench.reproduce.kept import Kept
from gossamer.bench.reproduce.page import page
from gossamer.bench.reproduce.paper import REPORTED
from gossamer.bench.reproduce.variants import Experiment, runs, settings_of
from gossamer.bench.run import run
from gossamer.bench.store import RunFolder

Rows = Sequence[Mapping[str, Any]]


def reproduce(
    console: Console, bench: Bench, plan: Experiment, seeds: int, epochs: int | None, images: int | None
) -> Path:
    """Train what is missing and write everything; interrupted, the same command goes on.

    Args:
        console: where to print.
        bench: with MNIST.
        plan: the experiment.
        seeds: runs of each variant.
        epochs: instead of the paper's.
        images: training images of the Hessians; None leaves them out.

    Returns:
        The folder of tables, figures and page.
    """
    specs = runs(plan, bench.data.name, bench.data.fingerprint, settings_of(plan, epochs), seeds)
    ordered = [each[seed] for seed in range(seeds) for each in specs.values()]
    with show.Bars(console, len(ordered)) as bars:
        for spec in ordered:
            run(spec, replace(bench, watch=bars))
            bars.advance()
    done = Done(plan, bench, {variant: [Finished(spec, bench) for spec in each] for variant, each in specs.items()})
    digest = sha256(" ".join(spec.key for spec in ordered).encode()).hexdigest()[:12]
    folder = RunFolder(bench.out / f"reproduce-{plan.name}-{digest}")
    folder.write_json("setup.json", {"runs": [spec.key for spec in ordered], "environment": environment(bench.device)})
    parts = _measured(console, done, Kept(folder, _digest(done)), images)
    drawn = _drawn(folder.path, f"{bench.data.label}, {plan.model} at {plan.sparsity:.0%}", seeds, parts)
    _write_tables(folder, parts)
    folder.write("page.md", page(plan, parts, drawn).encode())
    console.print(f"{folder.path / 'page.md'}", soft_wrap=True)
    return folder.path


def _digest(done: Done) -> str:
    """Of the results of all runs: a run that was trained again elsewhere may differ in its last bits."""
    results = [run.result for each in done.runs.values() for run in each]
    return sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()[:12]


def _measured(console: Console, done: Done, kept: Kept, images: int | None) -> dict[str, Any]:
    """Every table; what takes long is kept on the disk as soon as it is found."""
    parts: dict[str, Any] = {
        "agreement": kept.get("agreement", lambda: agreement.agreement(done)),
        "norms": flow.norms(done),
        "updates": flow.updates(done),
        "signal": kept.get("signal", lambda: signal.signal(done)),
    }
    parts["update_summary"] = flow.update_summary(parts["updates"])
    with Progress(console=console, transient=True) as progress:
        all_lines = progress.add_task("lines", total=len(lines.ends(done)))
        parts["lines"] = lines.lines(done, kept, lambda: progress.advance(all_lines))
        one = progress.add_task("Hessian", total=None)
        parts["hessians"] = (
            []
            if images is None
            else spectra.spectra(done, kept, images, lambda at, of: progress.update(one, completed=at, total=of))
        )
    parts["spectra"] = spectra.summary_rows(parts["hessians"])
    parts["map"], parts["stress"], parts["distances"] = lines.solutions(done)
    measured = {
        **agreement.measured(parts["agreement"]),
        **flow.measured(parts["norms"]),
        **lines.measured(parts["lines"]),
        **signal.measured(parts["signal"]),
    }
    parts["beside"] = beside(REPORTED.get(done.plan.name, []), measured)
    return parts


def _drawn(folder: Path, title: str, seeds: int, parts: Mapping[str, Any]) -> dict[str, str]:
    """All figures; the file of each by its name."""
    points = lines.point_rows(parts["lines"])
    all_seeds, first = f"{title}, {seeds} seeds", f"{title}, first seed"
    signals = f"Signal at initialisation, {len(signal.SEEDS)} draws\n{title}"
    norms = f"Gradient norm on 1000 training images\n{all_seeds}"
    updates = f"Change of the gradient norm at mask updates\n{all_seeds}"
    drawn = {
        "signal": figures.draw_signal(parts["signal"], signals, folder / "signal"),
        "norms": figures.draw_norms(parts["norms"], norms, folder / "norms"),
        "updates": figures.draw_updates(parts["updates"], updates, folder / "updates"),
        "lines": figures.draw_lines(points, f"Lines to the pruned network\n{all_seeds}", folder / "lines"),
        "map": figures.draw_map(
            parts["map"], parts["stress"], f"Solutions by L2 distance\n{all_seeds}", folder / "map"
        ),
    }
    if parts["hessians"]:
        hessians = f"Hessian of the live weights around mask updates\n{first}"
        drawn["hessian"] = figures.draw_spectra(parts["hessians"], hessians, folder / "hessian")
    return {name: paths[0].name for name, paths in drawn.items()}


def _write_tables(folder: RunFolder, parts: Mapping[str, Any]) -> None:
    """Every table as CSV."""
    tables = {name: parts[name] for name in ("agreement", "norms", "updates", "signal", "update_summary", "spectra")}
    tables |= {name: parts[name] for name in ("map", "distances", "beside")}
    tables |= {"lines": lines.point_rows(parts["lines"]), "barriers": lines.barrier_rows(parts["lines"])}
    for name, rows in tables.items():
        if rows:
            folder.write(f"{name}.csv", pd.DataFrame(rows).to_csv(index=False).encode())
