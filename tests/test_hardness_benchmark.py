"""The benchmark of the scores runs and gives rows of the right form; no time is ever judged."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import hardness, timing

SMALL = hardness.Size(image_size=8, channels=1, samples=20, batch=8, models=2)


def test_the_rows(capsys):
    rows = hardness.measure(1, size=SMALL)
    assert [row.what.split(",")[0] for row in rows] == ["logits of 20 samples by collect", "EL2N over 2 models"]
    for row in rows:
        assert row.ours > 0
        assert row.peer > 0
        assert row.kind == "overhead"
        assert len(row.cells()) == len(timing.HEAD)
    assert "the same logits by collect and by bare inference" in capsys.readouterr().out


def test_two_ways_with_different_logits_are_not_compared(monkeypatch):
    task = hardness.Task(SMALL, "cpu")
    monkeypatch.setattr(hardness.Task, "bare", lambda self, model: torch.zeros(20, 10))
    with pytest.raises(AssertionError, match="collected and bare inference give different logits"):
        hardness.check(task)


def test_it_stands_alone():
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks.hardness", "--help"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "--repetitions" in told.stdout
    assert "--device" in told.stdout
