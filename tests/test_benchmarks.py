"""The benchmark programs run and give rows of the right form; no time is ever judged."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks import __main__ as everything
from benchmarks import overhead, rewire, timing, upkeep, usual

from gossamer.core.rewire import drop_signed, drop_smallest

ROOT = Path(__file__).parents[1]


def assert_rows(rows, names):
    assert len(rows) == len(names)
    for row, name in zip(rows, names, strict=True):
        assert name in row.what
        assert row.ours > 0
        assert row.peer > 0
        assert len(row.cells()) == len(timing.HEAD)


def test_upkeep():
    size = upkeep.Size(model="convnet", image_size=8, channels=1, classes=10, batch=4)
    assert_rows(upkeep.measure(2, size=size), ["convnet"])


def test_upkeep_refuses_to_measure_steps_that_look_for_leaks():
    with pytest.raises(ValueError, match="at most 30 repetitions, got 31"):
        upkeep.measure(31)


def test_rewire(capsys):
    assert_rows(rewire.measure(1, model="convnet", sparsity=0.8), ["RigL", "SET", "SET by magnitude"])
    assert capsys.readouterr().out.count("the same choice as by full sorts") == 3


def test_overhead(capsys):
    size = overhead.Size(train=640, test=10, epochs=2, checkpoint_seconds=0.0, every=1)
    assert_rows(overhead.measure(1, models=("lenet5",), size=size), ["lenet5, dense", "lenet5, rigl"])
    assert "both loops end with the same bits" in capsys.readouterr().out


def test_a_program_is_told_its_turns_on_the_command_line(monkeypatch, capsys):
    row = timing.Row(what="nothing", ours=1.0, peer=2.0, kind="share", target=0.5)
    monkeypatch.setattr(sys, "argv", ["program", "--repetitions", "3"])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    timing.run(lambda repetitions: [row] * repetitions, "about")
    assert capsys.readouterr().out.count("nothing") == 3


def test_all_programs_make_one_table(monkeypatch, capsys):
    row = timing.Row(what="nothing", ours=1.0, peer=2.0, kind="share", target=0.5)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    for program in everything.PROGRAMS:
        monkeypatch.setattr(program, "measure", lambda: [row])
    everything.main()
    assert capsys.readouterr().out.count("nothing") == len(everything.PROGRAMS)


@pytest.mark.parametrize("name", ["upkeep", "rewire", "overhead", "__main__"])
def test_every_program_stands_alone(name):
    module = "benchmarks" if name == "__main__" else f"benchmarks.{name}"
    told = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--repetitions" in told.stdout


@pytest.mark.parametrize(
    ("kind", "ours", "peer", "value", "met"),
    [
        ("share", 1.0, 400.0, 0.0025, True),
        ("share", 1.0, 100.0, 0.01, False),
        ("overhead", 10.2, 10.0, 0.02, True),
        ("overhead", 11.0, 10.0, 0.1, False),
        ("speed-up", 1.0, 4.0, 4.0, True),
        ("speed-up", 1.0, 3.9, 3.9, False),
    ],
)
def test_figures_by_hand(kind, ours, peer, value, met):
    target = {"share": 0.005, "overhead": 0.03, "speed-up": 4.0}[kind]
    row = timing.Row(what="x", ours=ours, peer=peer, kind=kind, target=target)
    assert row.value == pytest.approx(value)
    assert row.met is met
    assert row.cells()[-1] == ("yes" if met else "NO")


def test_tasks_take_turns():
    order = []
    medians = timing.interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert set(medians) == {"a", "b"}


def test_the_table_is_aligned():
    row = timing.Row(what="a name", ours=0.001, peer=2.0, kind="share", target=0.005)
    head, line, first = timing.table([row]).splitlines()
    assert set(line) == {"-"}
    assert head.index("target") == first.index("< 0.5%")


def test_the_machine_is_named():
    assert re.match(r"torch \S+, Python 3\.\d+\.\d+, \d+ thread, \S", timing.machine())


def by_hand():
    """Four live weights of six: -4, -1, 2 and 3."""
    weight = torch.tensor([0.0, -4.0, 2.0, -1.0, 0.0, 3.0])
    return weight, weight != 0


def test_the_usual_drop_by_hand():
    weight, mask = by_hand()
    assert usual.largest_magnitudes(weight, mask, 0.5).tolist() == [False, True, False, False, False, True]
    assert usual.outermost(weight, mask, 0.5).tolist() == [False, True, False, False, False, True]
    stream = torch.Generator()
    assert torch.equal(drop_smallest(weight, mask, 2, stream), usual.largest_magnitudes(weight, mask, 0.5))
    assert torch.equal(drop_signed(weight, mask, 0.5, stream), usual.outermost(weight, mask, 0.5))


def test_the_usual_growth_by_hand():
    kept = torch.tensor([False, True, False, False])
    grown = usual.largest_gradients(torch.tensor([1.0, 9.0, -3.0, 2.0]), kept.clone(), 2, torch.Generator())
    assert grown.tolist() == [False, True, True, True]
    assert int(usual.random_positions(torch.zeros(4), kept.clone(), 2, torch.Generator()).sum()) == 3


@pytest.mark.parametrize("wrong", ["survive", "grow"])
def test_a_comparison_of_two_different_things_is_refused(wrong):
    pair = rewire.pairs(0.8)[0]
    parts = {"survive": pair.survive, "grow": pair.grow}
    parts[wrong] = {"survive": lambda weight, mask, fraction: mask.clone(), "grow": usual.random_positions}[wrong]
    distinct, tied = rewire.layers("convnet", 0.8), rewire.layers("convnet", 0.8, tied=True)
    with pytest.raises(AssertionError, match=r"RigL (drops|grows) others"):
        rewire.check(rewire.Pair(pair.name, pair.method, **parts), distinct, tied)


def test_loops_with_different_ends_are_not_compared(monkeypatch):
    size = overhead.Size(train=20, test=10, epochs=1)
    data = overhead.synthetic(size)
    monkeypatch.setattr(overhead, "bare", lambda *_: {})
    with pytest.raises(AssertionError, match="lenet5: the two loops end with different weights"):
        overhead.check(data, "lenet5", overhead.settings_of("lenet5", size), size, "dense")
