"""What the command line shows: progress while runs go, tables when they are done."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gossamer.bench.compare import Measure
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


def verdicts(rows: Sequence[Row], measures: Sequence[Measure]) -> str:
    """What the intervals of each accuracy say, one paragraph each."""
    if len(measures) == 1:
        return verdict(rows)
    return "\n".join(f"{measure.label}: {verdict(rows, measure.prefix)}" for measure in measures)


def verdict(rows: Sequence[Row], prefix: str = "") -> str:
    """What the intervals say, and no more.

    Args:
        rows: what ``compare`` gave.
        prefix: of the accuracy's columns.

    Returns:
        One or two sentences.

    Example:
        >>> verdict([{"method": "set", "asked_sparsity": 0.5, "difference_low": 0.01, "difference_high": 0.02}])
        "Better than dense, with the whole 95 % interval above zero: set at 0.5. Worse: none. ..."
    """
    sparse = [row for row in rows if row["method"] != "dense"]
    if not sparse:
        return "Dense alone: there is nothing to compare it with; name some --methods."
    low, high = f"{prefix}difference_low", f"{prefix}difference_high"
    if all(row[low] is None and row.get("seeds", 1) == 1 for row in sparse):
        return "One seed has no interval: nothing can be said about better or worse; use --seeds 3 or more."
    told = [row for row in sparse if row[low] is not None]
    better = [f"{row['method']} at {row['asked_sparsity']:g}" for row in told if row[low] > 0]
    worse = [f"{row['method']} at {row['asked_sparsity']:g}" for row in told if row[high] < 0]
    return (
        f"Better than dense, with the whole 95 % interval above zero: {', '.join(better) or 'none'}. "
        f"Worse: {', '.join(worse) or 'none'}. "
        f"Intervals are Student's over paired seeds, not corrected for {len(sparse)} comparisons"
        f"{'; two seeds make them 12.7 standard errors wide' if sparse[0].get('seeds') == 2 else ''}."
    )
