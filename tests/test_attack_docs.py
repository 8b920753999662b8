"""The blocks of docs/attack.md run one after the other and print what they say."""

import inspect
import re
from pathlib import Path

from gossamer import attack

TEXT = (Path(__file__).parents[1] / "docs" / "attack.md").read_text(encoding="utf-8")


def promised():
    """What comments behind prints and text blocks say, in their order."""
    for kind, block in re.findall(r"^```(python|text)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        yield from re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE) if kind == "python" else block.splitlines()


def test_blocks_run_and_print_what_they_say(capsys):
    namespace = {"__name__": "__main__"}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(block, namespace)
    expected = list(promised())
    assert len(expected) > 5
    assert capsys.readouterr().out.splitlines() == expected


def test_settings_named_in_the_text_exist():
    """Every ``name(..., keyword=`` in single quotes of code."""
    calls = re.findall(r"`(\w+)\([^`\"]*?(\w+)=", TEXT)
    assert {name for name, _ in calls} >= {"robust_accuracy", "gradient_masking"}
    for name, keyword in calls:
        assert keyword in inspect.signature(getattr(attack, name)).parameters
