"""A paper's experiment as one command, on the digits: its runs, its tables, its page, and what survives a stop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from rich.console import Console

from gossamer.bench.finished import Finished
from gossamer.bench.lab import initial_weights
from gossamer.bench.place import Bench
from gossamer.bench.reproduce import flow, page
from gossamer.bench.reproduce.agreement import agreement, spread
from gossamer.bench.reproduce.beside import beside
from gossamer.bench.reproduce.command import _digest, reproduce
from gossamer.bench.reproduce.done import Done
from gossamer.bench.reproduce.kept import Kept
from gossamer.bench.reproduce.lines import ends, lines, solutions
from gossamer.bench.reproduce.paper import REPORTED, Reported
from gossamer.bench.reproduce.variants import EXPERIMENTS, VARIANTS, Experiment, experiment, runs, settings_of
from gossamer.bench.reproduce.words import markdown
from gossamer.bench.store import RunFolder
from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError, UnknownNameError
from tests.workbench import Counting, Stopped, digits

PLAN = Experiment(
    name="p3-digits", model="mlp300", sparsity=0.99, every=1, prune_every=1, hidden=(4, 3), snapshots=(2,)
)
LIVE = 502  # of 64·300 + 300·100 + 100·10
SEEDS, EPOCHS, IMAGES = 2, 1, 20
QUIET = Console(quiet=True)


def bench(out: Path, **changes: Any) -> Bench:
    return Bench(digits(train=700, test=60), out, **changes)  # six steps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reproduce(QUIET, bench(tmp_path_factory.mktemp("runs")), PLAN, SEEDS, EPOCHS, IMAGES)


@pytest.fixture(scope="module")
def done(folder: Path) -> Done:
    place = bench(folder.parent)
    specs = runs(PLAN, "digits", place.data.fingerprint, settings_of(PLAN, EPOCHS), SEEDS)
    return Done(PLAN, place, {name: [Finished(spec, place) for spec in each] for name, each in specs.items()})


def test_every_variant_has_its_runs_and_no_seed_is_the_pruned_runs_own(done: Done) -> None:
    assert set(done.runs) == set(VARIANTS)
    assert [run.spec.seed for run in done.runs["pruned"]] == [0, 1]
    for name, each in done.runs.items():
        assert len(each) == SEEDS
        if name != "pruned":
            assert not {run.spec.seed for run in each} & {0, 1}
    assert len({run.spec.key for each in done.runs.values() for run in each}) == SEEDS * len(VARIANTS)


def test_all_sparse_variants_live_under_masks_as_large_as_the_pruned_runs(done: Done) -> None:
    pruned = done.pruned.masks
    assert mask_ops.live(pruned) == LIVE
    for name, each in done.runs.items():
        for run in each:
            assert (run.masks == {}) == (name == "small_dense")
            if run.masks:
                assert mask_ops.live(run.masks) == LIVE
            if VARIANTS[name].recipe == "static":
                assert all(torch.equal(mask, pruned[key]) for key, mask in run.masks.items())


def test_tickets_share_their_start_and_scratch_networks_do_not(done: Done) -> None:
    starts = [end.weights() for end in ends(done) if end.name == "scratch_start"]
    assert not torch.equal(starts[0]["fc1.weight"], starts[1]["fc1.weight"])
    ticket = next(end.weights() for end in ends(done) if end.name == "lottery_start")
    first = initial_weights(done.pruned.spec, done.bench)
    assert all(torch.equal(tensor, first[name]) for name, tensor in ticket.items())
    one = [initial_weights(run.spec, done.bench) for run in done.runs["scratch_one"]]
    assert all(torch.equal(tensor, one[1][name]) for name, tensor in one[0].items())


def test_the_table_of_agreement_is_what_the_networks_answer(done: Done, folder: Path) -> None:
    rows = {row["variant"]: row for row in json.loads((folder / "agreement.json").read_text())["found"]}
    labels, images = done.bench.test.labels, done.bench.test.images / 255.0
    for name in ("pruned", "lottery", "set"):
        told = [run.model()(images) for run in done.runs[name]]
        assert rows[name]["accuracy"] == [
            pytest.approx(float((out.argmax(1) == labels).float().mean())) for out in told
        ]
        together = sum(out.softmax(1) for out in told).argmax(1)
        assert rows[name]["ensemble"] == pytest.approx(float((together == labels).float().mean()))
        differing = float((told[0].argmax(1) != told[1].argmax(1)).float().mean())
        assert rows[name]["disagreement"] == [pytest.approx(differing)]
    assert len(rows["pruned"]["disagreement_pruned"]) == 1  # it is not compared with itself
    assert rows["pruned"]["disagreement_pruned"] == rows["pruned"]["disagreement"]
    assert len(rows["lottery"]["disagreement_pruned"]) == 2


def test_networks_that_say_one_class_of_everything_are_counted(done: Done) -> None:
    held = Done(PLAN, done.bench, done.runs)
    told = done.outputs("lottery").clone()
    told[1] = 0.0
    told[1, :, 3] = 1.0
    held._outputs["lottery"] = told
    rows = {row["variant"]: row for row in agreement(held)}
    free = [len(out.argmax(1).unique()) > 1 for out in done.outputs("lottery")]
    assert rows["lottery"]["stuck"] == 1 + (not free[0])
    assert rows["set"]["stuck"] == sum(len(out.argmax(1).unique()) == 1 for out in done.outputs("set"))


def test_one_seed_has_no_pairs(done: Done) -> None:
    alone = Done(PLAN, done.bench, {name: each[:1] for name, each in done.runs.items()})
    row = agreement(alone)[0]
    assert (row["disagreement"], row["disagreement_pruned"]) == ([], [])
    assert spread(row["disagreement"]) == ""


def test_lines_end_in_the_pruned_network_and_begin_where_they_should(done: Done, folder: Path) -> None:
    found = lines(done, Kept(RunFolder(folder), _digest(done)))
    assert [(line.name, line.seed) for line in found] == [
        ("lottery_start", 10), ("lottery_end", 10), ("lottery_end", 11), ("scratch_start", 10), ("scratch_start", 11),
        ("scratch_end", 10), ("scratch_end", 11),
    ]  # fmt: skip
    for line in found:
        at = {point["alpha"]: point for point in line.points}
        assert len(at) == 29
        assert at[1.0]["test_accuracy"] == pytest.approx(done.pruned.result["test_accuracy"])
        if line.name == "scratch_end":
            own = next(run for run in done.runs["scratch"] if run.spec.seed == line.seed)
            assert at[0.0]["test_accuracy"] == pytest.approx(own.result["test_accuracy"])


def test_the_map_shows_every_solution_and_distances_are_plain_norms(done: Done) -> None:
    points, stress, distances = solutions(done)
    assert len(points) == 8
    assert 0 <= stress < 0.5
    run = done.runs["lottery"][0]
    total = sum(float((run.weights[name] - tensor).square().sum()) for name, tensor in done.pruned.weights.items())
    own = next(row for row in distances if row["group"] == "lottery_end" and row["seed"] == 10)
    assert own["l2"] == pytest.approx(total**0.5, rel=1e-5)


def test_spectra_are_of_the_live_weights_and_biases_around_the_update(folder: Path) -> None:
    table = pd.read_csv(folder / "spectra.csv")
    assert list(table["moment"]) == ["before", "after"] * 3
    assert set(table["variant"]) == {"rigl_plus", "rigl_inverted_plus", "set_plus"}
    for path in folder.glob("hessian-*.json"):
        values = json.loads(path.read_text())["found"]["eigenvalues"]
        assert len(values) == LIVE + 300 + 100 + 10
        assert values == sorted(values)


def test_every_table_and_figure_is_written_and_named_on_the_page(folder: Path) -> None:
    page = (folder / "page.md").read_text()
    for name in ("signal", "norms", "updates", "lines", "map", "hessian"):
        assert (folder / f"{name}.svg").exists()
        assert f"![{name}]({name}.png)" in page
    assert {path.stem for path in folder.glob("*.csv")} == {
        "agreement", "norms", "updates", "signal", "update_summary", "spectra", "map", "distances", "lines", "barriers",
    }  # fmt: skip
    for variant in VARIANTS.values():
        assert variant.label in page
    assert "The paper's values" not in page  # the paper has no digits


def test_the_same_command_again_trains_nothing_and_writes_the_same_bytes(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    watch = Counting()
    again = reproduce(QUIET, bench(folder.parent, watch=watch), PLAN, SEEDS, EPOCHS, IMAGES)
    assert again == folder
    assert watch.steps == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_stopped_in_the_middle_of_a_measurement_it_goes_on_from_there(folder: Path) -> None:
    whole = (folder / "page.md").read_bytes()
    (folder / "page.md").unlink()
    (folder / "line-scratch_end-11.json").unlink()
    reproduce(QUIET, bench(folder.parent), PLAN, SEEDS, EPOCHS, IMAGES)
    assert (folder / "page.md").read_bytes() == whole


def test_hessians_may_be_left_out(folder: Path, tmp_path: Path) -> None:
    for path in folder.parent.iterdir():
        if path.is_dir() and path != folder:
            (tmp_path / path.name).symlink_to(path)
    written = reproduce(QUIET, bench(tmp_path), PLAN, SEEDS, EPOCHS, None)
    assert not (written / "spectra.csv").exists()
    assert "Hessian" not in (written / "page.md").read_text()


def test_finished_runs_are_kept_when_it_is_stopped(tmp_path: Path) -> None:
    from gossamer.bench.run import run

    spec = runs(PLAN, "digits", bench(tmp_path).data.fingerprint, settings_of(PLAN, EPOCHS), 1)["set"][0]
    with pytest.raises(Stopped):
        run(spec, bench(tmp_path, watch=Counting(stop=8)))  # in the second training: the pruned network's is first
    assert spec.origin is not None
    assert Finished(spec.origin.run, bench(tmp_path)).folder.result() is not None


@pytest.mark.parametrize("seeds", [0, 11])
def test_a_number_of_seeds_out_of_range_is_refused(seeds: int) -> None:
    with pytest.raises(SettingError, match=rf"expected 1 to 10 seeds, got {seeds}; the paper has 5"):
        runs(PLAN, "digits", "ab", settings_of(PLAN), seeds)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown experiment 'p3-lenet'; did you mean 'p3-lenet5'"):
        experiment("p3-lenet")
    with pytest.raises(UnknownNameError, match="unknown variant 'lotery'; did you mean 'lottery'"):
        runs(PLAN, "digits", "ab", settings_of(PLAN), 1, ["lotery"])


def test_the_papers_settings() -> None:
    lenet, mlp = EXPERIMENTS["p3-lenet5"], EXPERIMENTS["p3-mlp"]
    settings = settings_of(lenet)
    assert (settings.lr, settings.weight_decay, settings.momentum, settings.nesterov) == (0.05, 1e-3, 0.9, False)
    assert (settings.epochs, settings.batch_size, settings.schedule, settings.normalize) == (25, 128, "cosine", False)
    assert (settings_of(mlp).lr, settings_of(mlp).weight_decay) == (0.2, 2e-4)
    assert (lenet.sparsity, lenet.every, mlp.sparsity, mlp.every) == (0.95, 100, 0.98, 500)
    specs = runs(lenet, "mnist", "ab", settings, 1)
    assert round(float(specs["pruned"][0].settings["begin"]) * 11_725) == 3000
    assert round(float(specs["pruned"][0].settings["end"]) * 11_725) == 7000
    assert specs["rigl"][0].settings["every"] == "100"
    assert specs["scratch_plus"][0].train.initial == "scaled_per_neuron"
    assert specs["small_dense"][0].settings["hidden"] == "3+3+27+20"


def test_numbers_beside_the_papers() -> None:
    reported = [Reported("a", "x", 1.0, 0.3), Reported("a", "y", 2.0), Reported("a", "z", 2.0)]
    measured: Mapping[tuple[str, str], list[float]] = {
        ("a", "x"): [1.6, 2.4],
        ("a", "y"): [1.0, 2.0, 3.0],
        ("a", "z"): [5.0],
    }
    first, second, third = beside(reported, measured)
    assert first["difference"] == pytest.approx(1.0 / (0.32 + 0.09) ** 0.5)
    assert (second["difference"], second["deviation"], second["count"]) == (0.0, 1.0, 3)
    assert (third["difference"], third["deviation"]) == (None, None)


def test_every_number_of_the_paper_can_be_measured() -> None:
    names = {
        "signal": {"dense", "scaled_per_layer"},
        "loss": {"lottery_start", "lottery_end", "scratch_start", "scratch_end"},
    }
    for each in REPORTED["p3-lenet5"]:
        what = each.quantity.partition("@")[0].partition("_")[0]
        assert each.variant in names.get(what, VARIANTS), each


def test_changes_of_the_norm_are_summed_up_by_halves() -> None:
    rows = [
        {"variant": "rigl", "seed": 0, "step": step, "before": 1.0, "after": 1.0 + change, "change": change}
        for step, change in ((0, 0.5), (2, 0.3), (8, -0.2))
    ]
    (row,) = flow.update_summary(rows)
    assert (row["updates"], row["share_raised"]) == (3, pytest.approx(2 / 3))
    assert (row["change_first_half"], row["change_second_half"]) == (pytest.approx(0.4), pytest.approx(-0.2))
    assert flow.update_summary([]) == []


def test_markdown_leaves_unknown_numbers_empty() -> None:
    table = markdown([{"a": 1, "b": 0.123456}, {"a": None, "b": float("nan")}], {"b": ".2f"})
    assert table.splitlines()[2:] == ["| 1 | 0.12 |", "|  |  |"]


def test_the_page_has_every_number_of_the_paper() -> None:
    rows = beside(
        REPORTED["p3-lenet5"], {(each.variant, each.quantity): [each.value] for each in REPORTED["p3-lenet5"]}
    )
    told = page._beside(rows)
    assert told.count("\n| ") == len(REPORTED["p3-lenet5"]) + 1
    for words in (
        "test accuracy",
        "gradient norm at step 100",
        "training loss at α = 0.5",
        "std of outputs at sparsity 0.28",
    ):
        assert words in told


def test_a_trial_that_is_shorter_leaves_out_what_it_did_not_measure() -> None:
    rows = beside(REPORTED["p3-lenet5"], {("lottery", "accuracy"): [0.5]})
    assert [(row["variant"], row["quantity"]) for row in rows] == [("lottery", "accuracy")]


def test_findings_of_another_version_or_of_other_runs_are_found_anew(tmp_path: Path) -> None:
    place = RunFolder(tmp_path)
    assert Kept(place, "a").get("x", lambda: 1) == 1
    assert Kept(place, "a").get("x", lambda: 2) == 1
    assert Kept(place, "b").get("x", lambda: 3) == 3
    place.write_json("x.json", {})
    assert Kept(place, "b").get("x", lambda: 4) == 4
