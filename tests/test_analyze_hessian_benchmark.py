"""The benchmark of curvature gives rows of the right form, with a stand-in for the other package; no time is judged."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from benchmarks import hessian as benchmark

from gossamer.analyze.curvature.hessian import hessian

ROOT = Path(__file__).parents[1]
SMALL = benchmark.Size(steps=2, images=12, batch=8, peer_batch=8, columns=2, sparsity=0.99)


class Other:
    """Products with the dense Hessian, as the other package gives them: (n,) float32 to the same."""

    def __init__(self, model, loss, params, batches, **rest):
        self.operator = hessian(model, loss, batches)
        self.shape = self.operator.shape

    def __matmul__(self, vector):
        return (self.operator @ vector).float()


OTHER = SimpleNamespace(HessianLinearOperator=Other)


def pictures(count=40, size=16):
    stream = torch.Generator().manual_seed(0)
    return torch.rand(count, 1, size, size, generator=stream), torch.randint(10, (count,), generator=stream)


def test_a_row_for_the_five_and_one_for_all(capsys):
    rows = benchmark.measure(1, size=SMALL, data=pictures(), peer=OTHER)
    assert [row.what.split(" of LeNet5")[0] for row in rows] == ["top 5", "all"]
    assert [row.kind for row in rows] == ["share", "speed-up"]
    assert all(row.ours > 0 and row.peer > 0 for row in rows)
    told = capsys.readouterr().out
    assert "the same five eigenvalues" in told
    assert "ours" in told


def test_lanczos_from_one_vector_misses_what_ours_finds():
    images, labels = pictures()
    images = images * (torch.arange(16.0) < 8) * 2.0 ** -(torch.arange(40.0) % 4)[:, None, None, None]
    kinds = images[:4].repeat(10, 1, 1, 1)  # four kinds of pictures, so that Lanczos converges in a few steps
    found = benchmark.several((kinds, labels), OTHER)
    wrong = {name: int((~torch.isclose(values, found["exact"], rtol=1e-3)).sum()) for name, values in found.items()}
    assert wrong["ours"] == 0
    assert wrong["Lanczos from one vector"] > 0


def test_different_eigenvalues_are_not_compared(monkeypatch):
    task = benchmark.Task(SMALL, pictures(), OTHER)
    ours, (values, vectors) = task.ours(), task.theirs()
    monkeypatch.setattr(task, "theirs", lambda: (values + 1, vectors))
    with pytest.raises(AssertionError, match="are not the same eigenvalues"):
        benchmark.check(task)
    assert ours.values.max() > 0


def test_without_the_other_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    with pytest.raises(SystemExit, match="pip install curvlinops-for-pytorch"):
        benchmark.find_peer()


def test_the_other_package_is_found_where_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "curvlinops", OTHER)
    assert benchmark.find_peer() is OTHER


def test_the_program_stands_alone():
    command = [sys.executable, "-m", "benchmarks.hessian", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--repetitions" in told.stdout
    assert "--images" in told.stdout
