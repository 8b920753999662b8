"""docs/corruptions.md says what the code does: its block runs, its tables are the code's."""

import re
from pathlib import Path

import pytest

from gossamer.corrupt import CORRUPTIONS, FAMILIES
from gossamer.corrupt.families import LARGEST, SMALLEST, constants

DOCUMENT = Path(__file__).parents[1] / "docs" / "corruptions.md"


def severity_6():
    """The table of the document."""
    lines = [f"| kind | {' | '.join(FAMILIES)} |", "|---" * (1 + len(FAMILIES)) + "|"]
    for name, kind in CORRUPTIONS.items():
        cells = (", ".join(f"{one:.4g}" for one in constants(kind, family, LARGEST)) for family in FAMILIES)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def text():
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_table_of_severity_6_is_that_of_the_code(text):
    written = text.split("the function's parameters.\n\n")[1].strip()
    assert written == severity_6(), "docs/corruptions.md: put this table there\n" + severity_6()


def test_kinds_that_need_colours(text):
    row = next(line for line in text.splitlines() if line.startswith("| colours |"))
    assert re.findall(r"`(\w+)`", row) == [name for name, kind in CORRUPTIONS.items() if kind.colour]


def test_sizes(text):
    row = next(line for line in text.splitlines() if line.startswith("| sizes |"))
    assert [int(number) for number in re.findall(r"from (\d+)", row)] == sorted(set(SMALLEST.values()))
    constants_row = next(line for line in text.splitlines() if line.startswith("| constants |"))
    assert re.findall(r"`([a-z]+-c)` at (\d+)", constants_row.replace("pixels, ", "")) == [
        (name, str(size)) for name, size in FAMILIES.items()
    ]


def test_the_block_runs_and_prints_what_it_says(text, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    exec(compile(code, str(DOCUMENT), "exec"), {"__name__": "__main__"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert len(promised) == 3
    assert capsys.readouterr().out.splitlines() == promised
