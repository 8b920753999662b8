"""The blocks of docs/analysis.md run one after the other and print what they say; options named there exist."""

import re
from pathlib import Path

import pytest

from gossamer.bench.analysis.report import PARTS
from tests.test_cli import invoke

TEXT = (Path(__file__).parents[1] / "docs" / "analysis.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_blocks_run_and_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    namespace = {"__name__": "__main__"}
    for block in BLOCKS:
        exec(block, namespace)
    expected = [said for block in BLOCKS for said in re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)]
    assert len(expected) > 5
    assert capsys.readouterr().out.splitlines() == expected


def test_every_option_named_in_the_text_exists() -> None:
    told = invoke("analyze", "--help").output + invoke("train", "--help").output
    options = set(re.findall(r"`?(--[a-z-]+)", TEXT))
    assert {f"--{part}" for part in PARTS} <= options
    assert all(option in told for option in options)
