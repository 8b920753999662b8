"""The benchmark of attacks runs and compares like with like; no time is judged."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import attack
from benchmarks.timing import HEAD

SMALL = attack.Size(model="convnet", batch=2, image_size=8, channels=1)


def test_rows(capsys):
    rows = attack.measure(1, sizes=(SMALL,))
    assert [row.kind for row in rows] == ["overhead", "speed-up"]
    assert all("PGD-10 step, convnet, batch 2" in row.what and len(row.cells()) == len(HEAD) for row in rows)
    assert all(row.ours > 0 and row.peer > 0 for row in rows)
    assert "all three loops find the same images" in capsys.readouterr().out


def test_loops_that_find_other_images_are_not_compared():
    found = attack.tasks(SMALL, "cpu")
    found["usual"] = lambda: torch.rand(2, 1, 8, 8)
    with pytest.raises(AssertionError, match=r"convnet: only .* of the pixels are those of the usual loop"):
        attack.check(found, "convnet")


def test_only_one_of_the_loops_fills_gradients():
    for gradient, filled in ((attack.input_only, False), (attack.by_backward, True)):
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
        images, labels = torch.rand(2, 1, 2, 2), torch.tensor([0, 1])
        attack.loop(gradient, model, images, labels)
        assert (model[1].weight.grad is not None) is filled


def test_it_stands_alone():
    root = Path(__file__).parents[1]
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.attack", "--help"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "--repetitions" in told.stdout
