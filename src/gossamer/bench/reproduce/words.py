"""Tables as Markdown and as CSV."""

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def markdown(rows: Rows, forms: Mapping[str, str] | None = None) -> str:
    """A table for a Markdown page.

    Args:
        rows: all with the columns of the first, whose names are the headings.
        forms: how numbers of a column are written; default four digits. None and nan are empty.

    Returns:
        Lines.

    Example:
        >>> print(markdown([{"seed": 1, "accuracy": 0.98}], {"accuracy": ".1%"}))
        | seed | accuracy |
        |---|---|
        | 1 | 98.0% |
    """
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [_cell(row[column], (forms or {}).get(column, ".4g")) for column in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any, form: str) -> str:
    if value is None or value != value:
        return ""
    return f"{value:{form}}" if isinstance(value, float) else str(value)
