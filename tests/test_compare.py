"""Dense against sparse: the grid, the paired intervals, the table, and a comparison stopped in its middle."""

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rich.console import Console

from gossamer.bench import compare as compare_module
from gossamer.bench import session, show
from gossamer.bench.adversarial import Adversarial
from gossamer.bench.compare import Difference, Measure, compare, grid, measures, paired
from gossamer.bench.comparison import ONE, comparison, form, notes
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.place import Bench
from gossamer.core.errors import SettingError, UnknownNameError
from tests.reference.paired import by_hand, by_scipy
from tests.workbench import Counting, Stopped, bench, said, spec

ACCURACIES = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=2, max_size=12)


@given(ACCURACIES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_intervals_are_those_of_the_textbook_and_of_scipy(pairs: list[tuple[int, int]], confidence: float) -> None:
    sparse, dense = [a / 1000 for a, _ in pairs], [b / 1000 for _, b in pairs]
    found = paired(sparse, dense, confidence)
    mean, low, high = by_hand(sparse, dense, confidence)
    assert found.mean == pytest.approx(mean)
    assume(len({a - b for a, b in pairs}) > 1)  # equal differences have no interval
    assert (found.low, found.high) == (pytest.approx(max(low, -1)), pytest.approx(min(high, 1)))  # of accuracies
    assert (low, high) == pytest.approx(by_scipy(sparse, dense, confidence), abs=1e-12)


def test_a_hand_can_follow_this_one() -> None:
    # differences 0.1, 0.2, 0.3: mean 0.2, s = 0.1, standard error 0.1/√3, t(2) = 4.3027
    found = paired([0.6, 0.7, 0.8], [0.5, 0.5, 0.5])
    assert (found.mean, found.low, found.high) == pytest.approx((0.2, 0.2 - 0.24841, 0.2 + 0.24841), abs=1e-5)


def test_equal_differences_have_no_interval_and_decide_nothing() -> None:
    found = paired([0.5, 0.625], [0.375, 0.5])
    assert found == Difference(0.125, None, None)
    row = {"method": "set", "asked_sparsity": 0.9, "seeds": 2, "difference_low": None, "difference_high": None}
    assert "above zero: none. Worse: none." in show.verdict([row])


def test_one_pair_has_no_interval() -> None:
    assert paired([0.5], [0.25]) == Difference(0.25, None, None)


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([0.5, 0.6], [0.5])


def test_the_grid_has_dense_once_a_seed_and_each_method_at_each_sparsity() -> None:
    specs = grid(spec("dense"), ["set", "dense", "rigl", "set"], [0.5, 0.9], range(2), {"rigl": {"every": "1"}})
    assert [(s.seed, s.recipe, s.sparsity) for s in specs] == [
        (seed, *rest)
        for seed in (0, 1)
        for rest in (("dense", 0.0), ("set", 0.5), ("set", 0.9), ("rigl", 0.5), ("rigl", 0.9))
    ]
    assert [s.settings["every"] for s in specs if s.recipe == "rigl"] == ["1"] * 4
    assert len({s.key for s in specs}) == len(specs)


def test_the_grid_has_no_run_twice() -> None:
    specs = grid(spec("dense"), ["set"], [0.5, 0.9, 0.5, 0.90], [0], {})
    assert [(s.recipe, s.sparsity) for s in specs] == [("dense", 0.0), ("set", 0.5), ("set", 0.9)]


def test_the_same_sparsity_twice_does_not_narrow_an_interval(tmp_path: Path) -> None:
    rows = compare(grid(spec("dense"), ["random"], [0.5, 0.5], [0], {}), bench(tmp_path))
    assert [row["seeds"] for row in rows] == [1, 1]


def test_the_grid_refuses_unknown_methods_and_sparsities() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rigl'"):
        grid(spec("dense"), ["rigll"], [0.5], [0], {})
    with pytest.raises(SettingError, match=r"\[0, 1\)"):
        grid(spec("dense"), ["rigl"], [1.5], [0], {})


def small(out: Path, **changes: Any) -> tuple[list[Any], Bench]:
    return grid(spec("dense"), ["random", "lth"], [0.5, 0.9], range(2), {}), bench(out, **changes)


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_rows_tell_what_the_runs_said(tmp_path: Path) -> None:
    specs, place = small(tmp_path)
    heard: list[int] = []
    rows = compare(specs, place, lambda: heard.append(1))
    assert len(heard) == len(specs)
    assert [(row["method"], row["asked_sparsity"], row["seeds"]) for row in rows] == [
        ("dense", 0.0, 2), ("random", 0.5, 2), ("random", 0.9, 2), ("lth", 0.5, 2), ("lth", 0.9, 2)
    ]  # fmt: skip
    results = {s.key: json.loads((tmp_path / s.key / "result.json").read_text()) for s in specs}
    accuracy = {(s.recipe, s.sparsity, s.seed): results[s.key]["test_accuracy"] for s in specs}
    for row in rows:
        own = [accuracy[row["method"], row["asked_sparsity"], seed] for seed in (0, 1)]
        dense = [accuracy["dense", 0.0, seed] for seed in (0, 1)]
        assert row["accuracy"] == pytest.approx(sum(own) / 2)
        assert row["accuracy_std"] == pytest.approx(abs(own[0] - own[1]) / 2**0.5)
        if row["method"] == "dense":
            assert (row["difference"], row["difference_low"], row["difference_high"]) == (None, None, None)
        else:
            found = (row["difference"], row["difference_low"], row["difference_high"])
            middle, low, high = by_hand(own, dense)
            assert found == pytest.approx((middle, max(low, -1), min(high, 1)))
        assert row["seconds"] > 0
    assert rows[2]["live_parameters"] == 50_200 // 10 + 410


def test_a_second_comparison_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs, place = small(tmp_path)
    first = compare(specs, place)
    counting = Counting()
    assert compare(specs, bench(tmp_path, watch=counting)) == first
    assert counting.steps == 0


@pytest.mark.parametrize("stop", [1, 5, 8, 20, 33, 54])
def test_stopped_in_the_middle_and_continued_the_table_is_the_same(stop: int, tmp_path: Path) -> None:
    expected = compare(*small(tmp_path / "whole"))
    with pytest.raises(Stopped):
        compare(*small(tmp_path / "stopped", watch=Counting(stop), checkpoint_seconds=0))
    specs, place = small(tmp_path / "stopped")
    assert timeless(compare(specs, place)) == timeless(expected)
    for each in specs:
        assert said(place.out / each.key) == said(tmp_path / "whole" / each.key)


def session_compare(out: Path, methods: list[str], texts: list[str], seeds: int = 2) -> tuple[Path, str]:
    console = Console(record=True, width=200, file=(out.parent / "shown.txt").open("w"))
    folder = session.compare(console, bench(out), spec("dense"), methods, [0.5, 0.9], seeds, texts)
    console.file.close()
    return folder, console.export_text()


def test_table_and_figure_are_written_and_say_what_was_printed(tmp_path: Path) -> None:
    folder, printed = session_compare(tmp_path / "runs", ["random", "set"], [])
    assert {path.name for path in folder.iterdir()} == {"table.csv", "table.json", "accuracy.png", "accuracy.svg"}
    content = json.loads((folder / "table.json").read_text())
    with (folder / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [row["method"] for row in content["rows"]]
    assert [float(row["accuracy"]) for row in rows] == [row["accuracy"] for row in content["rows"]]
    assert [row["sparsity"] for row in content["rows"]] == [0.0, 0.5, 0.9, 0.5, 0.9]
    assert len(content["runs"]) == 10
    assert all((tmp_path / "runs" / key / "result.json").exists() for key in content["runs"])
    for row in content["rows"]:
        assert f"{100 * row['accuracy']:.2f} ± {100 * row['accuracy_std']:.2f}" in printed
    assert "all 96 training images" in printed
    assert "table.csv" in printed
    again, reprinted = session_compare(tmp_path / "runs", ["random", "set"], [])
    assert (again, reprinted) == (folder, printed)


def test_another_comparison_is_another_folder(tmp_path: Path) -> None:
    one, _ = session_compare(tmp_path / "runs", ["random"], [], seeds=1)
    other, _ = session_compare(tmp_path / "runs", ["random", "uniform"], [], seeds=1)
    assert one != other


def test_settings_at_their_default_are_the_same_run(tmp_path: Path) -> None:
    """A key is made of resolved settings: what is spelt out and what is left out must meet."""
    plain = session.with_method(spec("dense"), "lth", 0.5, 0, [])
    spelt = session.with_method(spec("dense"), "lth", 0.5, 0, ["rounds=1", "lth.rewind=0"])
    other = session.with_method(spec("dense"), "lth", 0.5, 0, ["rounds=2"])
    assert plain.key == spelt.key != other.key


def row(method: str, low: float | None, high: float | None, sparsity: float = 0.5) -> dict[str, Any]:
    return {"method": method, "asked_sparsity": sparsity, "difference_low": low, "difference_high": high}


def full(method: str, measures: Sequence[Measure] = ONE, accuracy: float = 0.9) -> dict[str, Any]:
    """A whole row, two seeds."""
    dense = method == "dense"
    told: dict[str, Any] = {"method": method, "asked_sparsity": 0.0 if dense else 0.9, "seeds": 2, "seconds": 12.34}
    told |= {"sparsity": told["asked_sparsity"], "live_parameters": 1_234_567.0}
    told |= {"forward_flops_relative": 0.1, "training_flops_relative": 1.0}
    for number, measure in enumerate(measures):
        values = {"accuracy": accuracy - number / 10, "accuracy_std": 0.0123}
        values |= {"difference": -0.1, "difference_low": -1.05, "difference_high": 0.85}
        values |= dict.fromkeys(("difference", "difference_low", "difference_high")) if dense else {}
        told |= {f"{measure.prefix}{name}": value for name, value in values.items()}
    return told


HOWS: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "plain": ({}, [("test_accuracy", "test accuracy", "")]),
    "hard": ({"hard": Hard()}, [("test_accuracy", "test accuracy", "")]),
    "corrupted": (
        {"corrupted": Corrupted()},
        [("test_accuracy", "accuracy on corrupted images", ""), ("clean_accuracy", "clean accuracy", "clean_")],
    ),
    "adversarial": (
        {"adversarial": Adversarial(evaluate="pgd7")},
        [("robust_accuracy", "accuracy under pgd7", ""), ("test_accuracy", "clean accuracy", "clean_")],
    ),
    "both": (
        {"corrupted": Corrupted(), "adversarial": Adversarial()},
        [
            ("robust_accuracy", "accuracy under pgd20", ""),
            ("test_accuracy", "accuracy on corrupted images", "corrupted_"),
            ("clean_accuracy", "clean accuracy", "clean_"),
        ],
    ),
}


@pytest.mark.parametrize("how", HOWS)
def test_runs_are_compared_by_what_is_hard_first(how: str) -> None:
    changes, expected = HOWS[how]
    told = measures(spec("dense", **changes))
    assert [(each.field, each.label, each.prefix) for each in told] == expected


def printed(rows: Sequence[dict[str, Any]], told: Sequence[Measure], width: int) -> list[str]:
    console = Console(record=True, width=width, file=StringIO())
    console.print(comparison(rows, "title", told, width))
    return console.export_text().splitlines()


@pytest.mark.parametrize("more", [0, 1, 8, 16, 24, 40, 60, 80, 200])
@pytest.mark.parametrize("how", HOWS)
def test_on_a_screen_with_room_for_the_numbers_none_is_cut_or_broken(how: str, more: int) -> None:
    told = measures(spec("dense", **HOWS[how][0]))
    rows = [full("dense", told), full("small_dense", told, 1.0), full("omp_erk", told)]
    # an edge; method, sparsity, FLOPs, seconds; an interval each; a gap of three behind all
    width = 1 + (11 + 8 + 6 + 4) + 17 * len(told) + 3 * (4 + len(told)) + more
    lines = printed(rows, told, width)
    assert all(len(line) <= width for line in lines)
    assert "…" not in "".join(lines)
    words = " ".join(lines)
    for number in range(len(told)):
        for cell in (f"{90 - 10 * number}.00 ± 1.23", f"{100 - 10 * number}.00 ± 1.23"):
            assert any(cell in line for line in lines), cell
    assert sum("[-105.00, +85.00]" in line for line in lines) >= 2
    assert words.count("-10.00") == words.count("[-105.00, +85.00]") == 2 * len(told)
    assert words.count("1.000×") == 3
    assert words.count("12.3") == 3
    wide = form(rows, told, width) == "whole"
    assert ("1,234,567" in words) == wide
    assert ("or on a wider screen" in notes(rows, told, width)) == (not wide)


def test_forms_give_way_one_after_another() -> None:
    told = measures(spec("dense", **HOWS["corrupted"][0]))
    rows = [full("dense", told), full("set", told)]
    found = [form(rows, told, width) for width in range(60, 220)]
    assert found == sorted(found, key=["narrow", "short", "whole"].index)
    assert set(found) == {"narrow", "short", "whole"}
    first = 60 + found.index("short")
    assert max(map(len, printed(rows, told, first))) <= first
    assert any("90.00 ± 1.23  -10.00" in " ".join(line.split("   ")) or "90.00 ± 1.23   -10.00" in line
               for line in printed(rows, told, 220))  # fmt: skip


def test_notes_tell_what_an_attack_costs() -> None:
    told = measures(spec("dense", adversarial=Adversarial()))
    assert "and 2 more for each step of an attack on it)" in notes([full("dense", told)], told)
    assert "attack" not in notes([full("dense")])


def test_every_measure_has_its_verdict() -> None:
    told = measures(spec("dense", **HOWS["both"][0]))
    rows = [full("dense", told), full("set", told), full("rigl", told)]
    rows[1] |= {"difference_low": 0.01, "difference_high": 0.02}
    rows[2] |= {"clean_difference_low": -0.02, "clean_difference_high": -0.01}
    robust, corrupted, clean = show.verdicts(rows, told).split("\n")
    assert robust.startswith(
        "accuracy under pgd20: Better than dense, with the whole 95 % interval above zero: set at 0.9. W"
    )
    assert "above zero: none. Worse: none." in corrupted
    assert corrupted.startswith("accuracy on corrupted images: ")
    assert clean.startswith("clean accuracy: ")
    assert "above zero: none. Worse: rigl at 0.9." in clean
    assert show.verdicts([full("dense"), full("set")], ONE) == show.verdict([full("dense"), full("set")])


def test_every_measure_has_its_columns_its_intervals_and_its_panel(tmp_path: Path) -> None:
    each = spec("dense", corrupted=Corrupted(severity=4), adversarial=Adversarial(train="fgsm", evaluate="pgd2"))
    console = Console(record=True, width=200, file=StringIO())
    folder = session.compare(console, bench(tmp_path), each, ["random"], [0.5], 2, [])
    content = json.loads((folder / "table.json").read_text())
    assert content["measures"] == {
        "": "accuracy under pgd2", "corrupted_": "accuracy on corrupted images", "clean_": "clean accuracy"
    }  # fmt: skip
    results = [json.loads((tmp_path / key / "result.json").read_text()) for key in content["runs"]]
    for prefix, field in (("", "robust_accuracy"), ("corrupted_", "test_accuracy"), ("clean_", "clean_accuracy")):
        own = {name: [r[field] for r in results if r["recipe"] == name] for name in ("dense", "random")}
        for line in content["rows"]:
            assert line[f"{prefix}accuracy"] == pytest.approx(sum(own[line["method"]]) / 2)
        found = paired(own["random"], own["dense"])
        line = content["rows"][1]
        assert [line[f"{prefix}difference{end}"] for end in ("", "_low", "_high")] == [
            found.mean,
            found.low,
            found.high,
        ]
    with (folder / "table.csv").open() as file:
        (dense, _) = csv.DictReader(file)
    assert set(dense) == set(content["rows"][0])
    assert dense["clean_difference"] == ""
    drawn = "".join(ET.parse(folder / "accuracy.svg").getroot().itertext())
    for label in content["measures"].values():
        assert f"{label} (%)" in drawn
        assert f"{label}: " in console.export_text(clear=False)
    names = {path.name for path in folder.iterdir()}
    assert {"corrupted.png", "attacked.png", "accuracy.png"} <= names
    assert not {"hard.png"} & names


def test_warnings_of_masking_name_their_run(tmp_path: Path) -> None:
    each = spec("dense", adversarial=Adversarial(train="fgsm", evaluate="pgd2:eps=0.5,step=0.001"))
    console = Console(record=True, width=200, file=StringIO())
    session.compare(console, bench(tmp_path), each, ["random"], [0.5], 1, [])
    told = " ".join(console.export_text().split())
    for name in ("dense at 0", "random at 0.5"):
        assert f"Beware: {name}, seed 0: 2 steps reach 0.002 and never the border" in told


def test_the_verdict_says_what_intervals_say_and_no_more() -> None:
    dense = {"method": "dense", "asked_sparsity": 0.0, "difference_low": None, "difference_high": None}
    told = show.verdict([
        dense, row("set", 0.001, 0.02), row("rigl", -0.02, -0.001, 0.9), row("gmp", -0.01, 0.01), row("snip", 0.0, 0.1)
    ])  # fmt: skip
    assert "Better than dense, with the whole 95 % interval above zero: set at 0.5. Worse: rigl at 0.9." in told
    assert "gmp" not in told
    assert "snip" not in told
    assert "not corrected for 4 comparisons" in told
    assert "above zero: none. Worse: none." in show.verdict([dense, row("gmp", -0.01, 0.01)])
    assert show.verdict([dense, row("set", None, None)]).startswith("One seed has no interval")


def test_a_comparison_of_dense_alone_does_not_blame_the_seeds(tmp_path: Path) -> None:
    rows = compare(grid(spec("dense"), [], [0.5], range(2), {}), bench(tmp_path))
    assert "One seed" not in show.verdict(rows)


def test_notes_tell_what_tickets_cost() -> None:
    assert "lth, omp: FLOPs include the dense training" in notes([full("lth"), full("omp")])
    assert "dense training they start from" not in notes([full("set")])


def test_a_shared_dense_phase_counts_its_seconds_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr("gossamer.bench.run.time.monotonic", lambda: float(next(clock)))
    specs = [spec("lth", sparsity=0.5), spec("dense")]
    place = bench(tmp_path)
    seconds = [compare_module._seconds(each, place) for each in specs if compare_module.run(each, place)]
    alone = bench(tmp_path / "alone")
    compare_module.run(specs[1], alone)
    compare_module.run(specs[0], alone)
    assert seconds == [compare_module._seconds(each, alone) for each in specs]


def test_notes_say_why_a_difference_has_no_interval() -> None:
    same = {**full("set"), "difference": 0.01, "difference_low": None, "difference_high": None}
    assert "without an interval: every seed differs from dense by the same" in notes([same])
    assert "without an interval" not in notes([{**same, "seeds": 1}])
    assert "without an interval" not in notes([{**same, "difference_low": 0.0, "difference_high": 0.1}])
