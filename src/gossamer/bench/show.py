"""What the command line shows: progress while runs go, tables when they are done."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from gossamer.bench.watch import Watch

Row = Mapping[str, Any]


class Bars(Watch):
    """Two bars: runs of a comparison, and steps of the run under way.

    Args:
        console: where to draw.
        runs: how many runs are expected; None for a single one.
    """

    def __init__(self, console: Console, runs: int | None = None) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            refresh_per_second=2,  # drawing takes time from the training
        )
        self.all = None if runs is None else self.progress.add_task("runs", total=runs, note="")
        self.stack: list[tuple[str, TaskID]] = []

    def __enter__(self) -> "Bars":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def start(self, name: str, done: int, total: int) -> None:
        """A bar for this run."""
        short = " ".join(name.split("-")[-4:-1])  # recipe, sparsity and seed of the run's key
        self.stack.append((name, self.progress.add_task(short, completed=done, total=total, note="")))

    def step(self, done: int) -> None:
        """Move it."""
        self.progress.update(self.stack[-1][1], completed=done)

    def epoch(self, numbers: Mapping[str, Any]) -> None:
        """Say how it goes."""
        note = f"loss {numbers['loss']:.3f}  test {numbers['test_accuracy']:.2%}"
        self.progress.update(self.stack[-1][1], note=note)

    def finish(self, name: str) -> None:
        """Take its bars away."""
        for run, task in [entry for entry in self.stack if entry[0] == name]:
            self.progress.remove_task(task)
            self.stack.remove((run, task))

    def advance(self) -> None:
        """One run of the comparison is done."""
        if self.all is not None:
            self.progress.advance(self.all)


COLUMNS = ("sparsity", "accuracy %", "vs dense [95 %]", "live params", "fwd FLOPs", "train FLOPs", "s")
FULL_WIDTH = 104  # of the table with all its columns


def comparison(rows: Sequence[Row], title: str, width: int = FULL_WIDTH) -> Table:
    """The table of a comparison.

    Args:
        rows: what ``compare`` gave.
        title: data, network and samples in words.
        width: of the screen; on a narrow one live parameters and forward FLOPs are left to the files.

    Returns:
        A table for rich to print.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    shown = [True, *(width >= FULL_WIDTH or name not in ("live params", "fwd FLOPs") for name in COLUMNS)]
    table.add_column("method", no_wrap=True)
    for heading in compress(COLUMNS, shown[1:]):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*compress(_cells(row), shown), style="bold" if row["method"] == "dense" else "")
    return table


def verdict(rows: Sequence[Row]) -> str:
    """What the intervals say, and no more.

    Args:
        rows: what ``compare`` gave.

    Returns:
        One or two sentences.

    Example:
        >>> verdict([{"method": "set", "asked_sparsity": 0.5, "difference_low": 0.01, "difference_high": 0.02}])
        "Better than dense, with the whole 95 % interval above zero: set at 0.5. Worse: none. ..."
    """
    sparse = [row for row in rows if row["method"] != "dense"]
    if not sparse:
        return "Dense alone: there is nothing to compare it with; name some --methods."
    if all(row["difference_low"] is None and row.get("seeds", 1) == 1 for row in sparse):
        return "One seed has no interval: nothing can be said about better or worse; use --seeds 3 or more."
    told = [row for row in sparse if row["difference_low"] is not None]
    better = [f"{row['method']} at {row['asked_sparsity']:g}" for row in told if row["difference_low"] > 0]
    worse = [f"{row['method']} at {row['asked_sparsity']:g}" for row in told if row["difference_high"] < 0]
    return (
        f"Better than dense, with the whole 95 % interval above zero: {', '.join(better) or 'none'}. "
        f"Worse: {', '.join(worse) or 'none'}. "
        f"Intervals are Student's over paired seeds, not corrected for {len(sparse)} comparisons"
        f"{'; two seeds make them 12.7 standard errors wide' if sparse[0].get('seeds') == 2 else ''}."
    )


def notes(rows: Sequence[Row], width: int = FULL_WIDTH) -> str:
    """What a reader of the table must know to read it right."""
    hidden = "" if width >= FULL_WIDTH else " Live parameters and forward FLOPs: in table.csv, or on a wider screen."
    told = "FLOPs are relative to dense: forward of one image, and of the whole training (a step is 3 forward passes)."
    tickets = [row["method"] for row in rows if row["method"] in ("lth", "omp", "omp_erk")]
    if tickets:
        names = ", ".join(dict.fromkeys(tickets))
        told += f" {names}: FLOPs include the dense training they start from, seconds do not."
    return told + hidden


def _cells(row: Row) -> list[str]:
    spread = "" if row["accuracy_std"] is None else f" ± {100 * row['accuracy_std']:.2f}"
    return [
        row["method"],
        f"for {row['asked_sparsity']:g}" if row["method"] == "small_dense" else f"{row['sparsity']:.4f}",
        f"{100 * row['accuracy']:.2f}{spread}",
        _difference(row),
        f"{row['live_parameters']:,.0f}",
        f"{row['forward_flops_relative']:.3f}×",
        f"{row['training_flops_relative']:.3f}×",
        f"{row['seconds']:.1f}",
    ]


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return ""
    if row["difference_low"] is None:
        return _points(row["difference"])
    return f"{_points(row['difference'])} [{_points(row['difference_low'])}, {_points(row['difference_high'])}]"


def _points(share: float) -> str:
    """A difference in points, with its sign, and no minus before zero."""
    return f"{round(100 * share, 2) + 0.0:+.2f}"
