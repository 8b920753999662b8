"""Ctrl-C is told in a line, whenever it comes: no traceback, and the exit code that shells expect."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

APP = import_module("gossamer.cli.app")  # the package has the command line itself under this name

PATCHED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background commands ignore it
sys.argv = ["gossamer", "methods"]
from gossamer.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["gossamer.cli", "gossamer.cli.app", "matplotlib", "gossamer.bench.recipes"])
def test_while_it_is_imported(name: str) -> None:
    words = [sys.executable, "-c", PATCHED.format(name=name)]
    ended = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "interrupted; the same command goes on where it was\n")


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(130)])
def test_while_it_runs(
    raised: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped() -> None:
        raise raised

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("warnings.showwarning", None)
    monkeypatch.setattr(APP, "app", stopped)
    with pytest.raises(SystemExit) as ended:
        APP.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on where it was\n"


def test_other_ends_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def ended() -> None:
        raise SystemExit(2)

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("warnings.showwarning", None)
    monkeypatch.setattr(APP, "app", ended)
    with pytest.raises(SystemExit) as found:
        APP.main()
    assert found.value.code == 2
    assert capsys.readouterr().err == ""
