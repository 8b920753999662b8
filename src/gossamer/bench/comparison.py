"""The table of a comparison as a screen has room for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from gossamer.bench.compare import Measure

Row = Mapping[str, Any]
Column = tuple[str, list[str]]  # heading, cells
ONE = (Measure("test_accuracy", "test accuracy"),)
GAP = 3  # letters between two columns
FORMS = ("whole", "short", "narrow")  # all columns; without live parameters and forward FLOPs; numbers above another


def comparison(rows: Sequence[Row], title: str, measures: Sequence[Measure] = ONE, width: int = 120) -> Table:
    """The table of a comparison.

    Args:
        rows: what ``compare`` gave.
        title: data, network and samples in words.
        measures: the accuracies compared.
        width: of the screen, in letters; a narrow one gets the form that ``form`` says.

    Returns:
        A table for rich to print.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
    columns = _columns(rows, measures, form(rows, measures, width))
    widths = [max(map(len, _lines([heading, *cells]))) for heading, cells in columns]
    if _total(widths) > width:
        widths = [_width(column) for column in columns]
    for place, ((heading, _), letters) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(heading, justify="right" if place else "left", width=letters)
    lines = zip(*(cells for _, cells in columns), strict=True)
    for row, line in zip(rows, lines, strict=True):
        table.add_row(*line, style="bold" if row["method"] == "dense" else "")
    return table


def notes(rows: Sequence[Row], measures: Sequence[Measure] = ONE, width: int = 120) -> str:
    """What a reader of the table must know to read it right."""
    hidden = ""
    if form(rows, measures, width) != "whole":
        hidden = " Live parameters and forward FLOPs: in table.csv, or on a wider screen."
    told = "FLOPs are relative to dense: forward of one image, and of the whole training (a step is 3 forward passes"
    told += ", and 2 more for each step of an attack on it)." if _attacked(measures) else ")."
    tickets = [row["method"] for row in rows if row["method"] in ("lth", "omp", "omp_erk")]
    if tickets:
        names = ", ".join(dict.fromkeys(tickets))
        told += f" {names}: FLOPs include the dense training they start from, seconds do not."
    if any(_bare(row, measure.prefix) for row in rows for measure in measures):
        told += " A difference without an interval: every seed differs from dense by the same."
    return told + hidden


def _bare(row: Row, prefix: str) -> bool:
    """Several seeds, and yet no spread to make an interval of."""
    differs = row.get(f"{prefix}difference") is not None and row.get("seeds", 1) > 1
    return differs and row.get(f"{prefix}difference_low") is None


def form(rows: Sequence[Row], measures: Sequence[Measure], width: int) -> str:
    """The most telling one of ``FORMS`` that fits into so many letters, the narrow one if none does."""
    for name in FORMS:
        if _total([_width(column) for column in _columns(rows, measures, name)]) <= width:
            break
    return name


def _attacked(measures: Sequence[Measure]) -> bool:
    return any(measure.field == "robust_accuracy" for measure in measures)


def _lines(cells: Sequence[str]) -> list[str]:
    return [line for cell in cells for line in cell.split("\n")]


def _width(column: Column) -> int:
    """Cells are never broken, headings between words."""
    heading, cells = column
    return max(map(len, [*heading.split(), *_lines(cells)]))


def _total(widths: Sequence[int]) -> int:
    """Letters of a table with its edge."""
    return 1 + sum(width + GAP for width in widths)


def _columns(rows: Sequence[Row], measures: Sequence[Measure], form: str) -> list[Column]:
    columns: list[Column] = [
        ("method", [row["method"] for row in rows]),
        ("sparsity", [_sparsity(row) for row in rows]),
    ]
    for measure in measures:
        columns += _measured(rows, measure, form)
    if form == "whole":
        columns.append(("live params", [f"{row['live_parameters']:,.0f}" for row in rows]))
        columns.append(("fwd FLOPs", [f"{row['forward_flops_relative']:.3f}×" for row in rows]))
    columns.append(("train FLOPs", [f"{row['training_flops_relative']:.3f}×" for row in rows]))
    return [*columns, ("s", [f"{row['seconds']:.1f}" for row in rows])]


def _measured(rows: Sequence[Row], measure: Measure, form: str) -> list[Column]:
    """One accuracy and its difference to dense: two columns, or one with the numbers above one another."""
    accuracies = [_accuracy(row, measure.prefix) for row in rows]
    if form != "narrow":
        differences = [" ".join(_difference(row, measure.prefix)) for row in rows]
        return [(f"{measure.label} %", accuracies), ("vs dense [95 %]", differences)]
    cells = ["\n".join([one, *_difference(row, measure.prefix)]) for row, one in zip(rows, accuracies, strict=True)]
    return [(f"{measure.label} %\nvs dense [95 %]", cells)]


def _sparsity(row: Row) -> str:
    return f"for {row['asked_sparsity']:g}" if row["method"] == "small_dense" else f"{row['sparsity']:.4f}"


def _accuracy(row: Row, prefix: str) -> str:
    spread = row[f"{prefix}accuracy_std"]
    return f"{100 * row[f'{prefix}accuracy']:.2f}{'' if spread is None else f' ± {100 * spread:.2f}'}"


def _difference(row: Row, prefix: str) -> list[str]:
    """The difference and its interval, as far as there are any."""
    middle, low, high = (row[f"{prefix}difference{end}"] for end in ("", "_low", "_high"))
    if middle is None:
        return []
    return [_points(middle)] if low is None else [_points(middle), f"[{_points(low)}, {_points(high)}]"]


def _points(share: float) -> str:
    """A difference in points, with its sign, and no minus before zero."""
    return f"{round(100 * share, 2) + 0.0:+.2f}"
