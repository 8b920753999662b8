"""What an analysis of a run finds is what the library finds of its network; nothing is found twice."""

import atexit
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.progress import Progress
from torch.nn.functional import cross_entropy

from gossamer.analyze.channels.kernels import space, space_rows
from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.flow.norms import gradient_norm, layer_norms
from gossamer.analyze.frequency.radius import radius_accuracy
from gossamer.analyze.landscape.agreement import disagreement
from gossamer.bench.analysis import (
    curvature,
    density,
    flow,
    interpolation,
    kernels,
    report,
    spectrum,
)
from gossamer.bench.analysis import (
    hessian as curved,
)
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.begun import begun, lacking
from gossamer.bench.analysis.found import Found, NotHereError, kept
from gossamer.bench.analysis.opened import Opened, opened
from gossamer.bench.analysis.progress import bars, nobody
from gossamer.bench.data import load
from gossamer.bench.lab import dense_of
from gossamer.bench.place import Bench
from gossamer.bench.run import run
from gossamer.core import masks as mask_ops
from gossamer.core.distribution import counts, erk
from gossamer.core.errors import DataError, MissingError, SettingError, StateError
from tests.test_cli import invoke
from tests.workbench import spec

QUICK = ("--data", "digits", "--epochs", "1", "--device", "cpu", "--checkpoint-seconds", "1000")
SET = ("--model", "convnet", "--method", "set", "--sparsity", "0.9", "--set", "set.every=2", "--trace", "4")
RUNS = {
    "set": (*SET, "--snapshots", "4,8"),
    "other": (*SET, "--seed", "1"),
    "dense": ("--model", "convnet", "--method", "dense"),
    "mlp": ("--model", "mlp300", "--method", "rigl", "--sparsity", "0.98", "--set", "rigl.every=1"),
    "lth": ("--model", "mlp300", "--method", "lth", "--sparsity", "0.98"),
}
FEW = Asked(images=60)
CPU = torch.device("cpu")


@cache
def trained() -> Path:
    """One run of each, one epoch on the digits."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    for name, words in RUNS.items():
        done = invoke("train", *QUICK, *words, "--out", str(folder / "own" / name))
        assert done.exit_code == 0, done.output
    return folder / "own"


def folder_of(name: str) -> Path:
    (path,) = [each for each in (trained() / name).iterdir() if f"-{RUNS[name][3]}-" in each.name]
    return path


def run_of(name: str, tmp_path: Path) -> Opened:
    """A copy of a run, beside the runs it began from."""
    own = tmp_path / name
    shutil.copytree(folder_of(name).parent, own)
    return opened(own / folder_of(name).name, None, None, CPU)


# density


def test_densities_are_those_of_the_masks_and_of_the_references(tmp_path: Path) -> None:
    run = run_of("set", tmp_path)
    found = density.find(run, FEW, nobody)
    layers = {row["layer"]: row for row in found.tables["layers"]}
    shapes = {name: tuple(mask.shape) for name, mask in run.masks.items()}
    expected = counts(shapes, erk(shapes, mask_ops.sparsity(run.masks)))
    assert list(layers) == list(run.masks)
    for name, mask in run.masks.items():
        assert layers[name]["live"] == int(mask.sum())
        assert layers[name]["erk"] == pytest.approx(expected[name] / mask.numel())
        assert layers[name]["start"] == pytest.approx(layers[name]["density"], abs=1e-6)  # SET keeps a layer's count
    total = sum(row["weights"] for row in layers.values())
    assert sum(row["snip"] * row["weights"] for row in layers.values()) == pytest.approx(mask_ops.live(run.masks))
    assert sum(row["uniform"] * row["weights"] for row in layers.values()) / total == pytest.approx(0.1, abs=1e-4)
    history = [json.loads(line) for line in (run.folder.path / "masks.jsonl").read_text().splitlines()]
    assert found.tables["over_time"] == history
    assert not found.notes
    start = begun(run).masks
    common = sum(int((mask & start[name]).sum()) for name, mask in run.masks.items())
    union = sum(int((mask | start[name]).sum()) for name, mask in run.masks.items())
    assert history[-1]["overlap_start"] == pytest.approx(common / union)  # the start that was drawn again is the start
    assert common < union


def test_a_dense_run_has_no_densities(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="expected a sparse run to look at its densities, got dense"):
        density.find(run_of("dense", tmp_path), FEW, nobody)


def test_a_ticket_without_the_run_it_began_from_says_so(tmp_path: Path) -> None:
    run = run_of("lth", tmp_path)
    whole = density.find(run, FEW, nobody)
    assert all(row["overlap_start"] == 1.0 for row in whole.tables["layers"])  # masks of a ticket do not change
    (dense,) = [path for path in run.folder.path.parent.iterdir() if "-dense-" in path.name]
    shutil.rmtree(dense)
    with pytest.raises(MissingError, match=r"expected the run that this one began from in .*; put it back beside this"):
        begun(run)
    found = density.find(run, FEW, nobody)
    assert "overlap_start" not in found.tables["layers"][0]
    assert any("no overlap with the start: expected the run that this one began from" in note for note in found.notes)
    ends = flow.find(run, FEW, nobody)
    assert [row["moment"] for row in ends.tables["ends"]] == ["end"]
    assert any("the first weights are not known" in note for note in ends.notes)
    assert not dense.exists()  # nothing was trained


def test_the_images_of_a_run_on_hard_ones_are_those_it_was_trained_on(tmp_path: Path) -> None:
    words = (
        "--model",
        "mlp300",
        "--method",
        "dense",
        "--hard",
        "el2n:0.2",
        "--score-models",
        "1",
        "--score-epochs",
        "1",
    )
    assert invoke("train", *QUICK, *words, "--out", str(tmp_path)).exit_code == 0
    runs = {json.loads((path / "spec.json").read_bytes())["seed"]: path for path in tmp_path.glob("digits-*-seed*")}
    run = opened(runs[0], None, None, CPU)
    assert len(run.bench.train) == round(0.2 * len(run.bench.data.train_labels))
    assert len(run.train(10_000)[1]) == len(run.bench.train)
    shutil.rmtree(runs[1000])
    for scores in tmp_path.glob("el2n-*"):
        shutil.rmtree(scores)
    with pytest.raises(MissingError, match=r"expected the finished run digits-mlp300-.*-seed1000-.* put it back"):
        opened(runs[0], None, None, CPU)


# flow


def test_flow_at_the_ends_is_that_of_the_trace_and_of_the_library(tmp_path: Path) -> None:
    run = run_of("set", tmp_path)
    found = flow.find(run, FEW, nobody)
    start, end = found.tables["ends"]
    curve = found.tables["curve"]
    assert [row["step"] for row in curve] == [0, 4, 8, 12]
    assert start["norm"] == pytest.approx(curve[0]["norm"], rel=1e-5)  # the same weights, masks and images
    assert end["norm"] == pytest.approx(curve[-1]["norm"], rel=1e-5)
    batch = run.train(1000)
    assert end["norm"] == pytest.approx(gradient_norm(run.model, cross_entropy, batch, masks=run.masks), rel=1e-5)
    own = layer_norms(run.model, cross_entropy, batch, masks=run.masks)
    last = {row["layer"]: row["l2"] for row in found.tables["layers"] if row["moment"] == "end"}
    assert last == {name: pytest.approx(own[name], rel=1e-4) for name in run.masks}
    assert [row["step"] for row in found.tables["updates"]] == [
        json.loads(line)["step"] for line in (run.folder.path / "updates.jsonl").read_text().splitlines()
    ]


def test_without_a_trace_there_are_only_the_ends_and_a_sentence(tmp_path: Path) -> None:
    found = flow.find(run_of("mlp", tmp_path), FEW, nobody)
    assert [row["moment"] for row in found.tables["ends"]] == ["start", "end"]
    assert found.tables["curve"] == found.tables["updates"] == []
    assert "train it with `gossamer train ... --trace 100`" in found.notes[0]
    assert flow.draw(found, "t", tmp_path / "flow")[0].exists()


def test_a_damaged_trace_is_told(tmp_path: Path) -> None:
    run = run_of("set", tmp_path)
    (run.folder.path / "flow.jsonl").write_text('{"step": 0}\n{"st')
    with pytest.raises(DataError, match=r"expected a line of JSON a measurement in .*flow\.jsonl"):
        flow.find(run, FEW, nobody)


# kernels


def test_kernels_are_those_of_the_library(tmp_path: Path) -> None:
    run = run_of("set", tmp_path)
    found = kernels.find(run, FEW, nobody)
    assert found.tables["layers"] == space_rows(space(run.model, run.masks))
    for name, picture in found.pictures.items():
        assert sum(map(sum, picture["counts"])) == int(run.masks[name].sum())
        for side in ("input", "output"):
            own = [row for row in found.tables["channels"] if row["layer"] == name and row["side"] == side]
            assert sum(row["live"] for row in own) == int(run.masks[name].sum())
    assert set(found.pictures) == {f"conv{n}.weight" for n in (1, 2, 3, 4)}


def test_groups_without_a_kernel_are_left_white_and_sizes_are_shown_as_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(kernels, "heat", lambda matrices, *_, **how: shown.append((matrices, how)) or [])
    layers = [{"layer": name, "density": 0.5} for name in ("a.weight", "b.weight")]
    pictures = {
        "a.weight": {"kernel": 9, "counts": [[9, -1], [-1, 3]]}, "b.weight": {"kernel": 1, "counts": [[1, 0]]}
    }  # fmt: skip
    kernels.draw(Found({"layers": layers}, pictures=pictures), "t", tmp_path / "k")
    matrices, how = shown[0]
    assert str(matrices[0].values) == str([[1.0, float("nan")], [float("nan"), 1 / 3]])
    assert how["high"] == 1.0
    assert "share" in how["bar"]


def test_a_network_without_convolutions_has_no_kernels_to_count(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="expected a network with convolutions to count their kernels, got mlp300"):
        kernels.find(run_of("mlp", tmp_path), FEW, nobody)


# spectrum


def test_radius_accuracy_is_that_of_the_library(tmp_path: Path) -> None:
    run = run_of("set", tmp_path)
    found = spectrum.find(run, replace(FEW, heat_map=True), nobody)
    for keep in ("low", "high"):
        own = [row for row in found.tables["radius"] if row["keep"] == keep]
        assert own == radius_accuracy(run.model, run.test(60), keep=keep).rows()
        half = next(row for row in found.tables["summary"] if row["keep"] == keep)
        (crossed,) = [row for row in own if row["radius"] == half["half_radius"]]
        before = [row for row in own if row["radius"] < half["half_radius"]]
        assert (crossed["accuracy"] >= crossed["clean_accuracy"] / 2) == (keep == "low")
        assert all((row["accuracy"] < row["clean_accuracy"] / 2) == (keep == "low") for row in before)
        assert half["mean_accuracy"] == pytest.approx(sum(row["accuracy"] for row in own) / len(own))
    assert len(found.tables["filters"]) == 16
    assert len(found.tables["heat_map"]) == 64
    assert [len(row) for row in found.pictures["heat_map"]["error"]] == [8] * 8
    profile = found.tables["profile"]
    assert (profile[0]["frequency"], profile[-1]["frequency"]) == (0.0, 0.5)
    assert 0.2 < sum(row["power"] for row in profile) / len(profile) < 5


def test_a_network_without_convolutions_has_a_radius_but_no_filters(tmp_path: Path) -> None:
    found = spectrum.find(run_of("mlp", tmp_path), FEW, nobody)
    assert found.tables["filters"] == []
    assert "no power spectra of filters: expected a model with a two-dimensional convolution" in found.notes[0]
    assert [path.name for path in spectrum.draw({"mlp": found}, "t", tmp_path / "s")] == ["s.png", "s.svg"]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    own, other, dense = (run_of(name, tmp_path) for name in ("set", "other", "dense"))
    assert report.names([own, dense]) == ["set 90 %", "dense"]
    assert report.names([own, other, dense]) == ["set 90 %, seed 0", "set 90 %, seed 1", "dense"]
    twin = replace(own, spec=replace(own.spec, train=replace(own.spec.train, lr=0.5)))
    assert len(set(report.names([own, twin, other]))) == 3


# curvature


def test_the_whole_spectrum_is_that_of_the_hessian(tmp_path: Path) -> None:
    run = run_of("mlp", tmp_path)
    found = curved.find(run, FEW, nobody)
    operator = hessian(run.model, cross_entropy, run.train(60), masks=run.masks)
    size = operator.shape[0]
    matrix = operator @ torch.eye(size)
    expected = torch.linalg.eigvalsh((matrix + matrix.T) / 2).flip(0)
    values = torch.tensor([row["eigenvalue"] for row in found.tables["eigenvalues"]], dtype=torch.float64)
    assert size == mask_ops.live(run.masks) + 410
    torch.testing.assert_close(values, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
    (summary,) = found.tables["summary"]
    assert (summary["top"], summary["bottom"]) == (float(values[0]), float(values[-1]))
    assert summary["negative"] == float((values < -summary["resolution"]).double().mean())
    assert summary["trace"] == pytest.approx(float(values.sum()), rel=1e-6)
    assert summary["trace_error"] == 0.0
    assert (summary["moment"], summary["coordinates"], summary["images"]) == ("end", size, 60)
    assert found.tables["traces"][0]["trace"] == summary["trace"]


def test_both_ends_and_the_density_of_a_large_one_agree_with_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("mlp", tmp_path)
    whole = [row["eigenvalue"] for row in curved.find(run, FEW, nobody).tables["eigenvalues"]]
    monkeypatch.setattr(curvature, "EXACT", 10)
    found = curved.find(run, replace(FEW, seed=1), nobody)
    extremes = found.tables["extremes"]
    assert len(extremes) == 10
    for row, value in zip(extremes, whole[:5] + whole[-5:], strict=True):
        assert row["eigenvalue"] == pytest.approx(value, abs=row["residual"] + 1e-5)
    assert found.tables["eigenvalues"] == []
    rows = found.tables["density"]
    area = torch.trapezoid(
        torch.tensor([row["density"] for row in rows]), torch.tensor([row["eigenvalue"] for row in rows])
    )
    assert float(area) == pytest.approx(1, abs=0.01)
    assert curved.find(run, replace(FEW, seed=1, exact=True), nobody).tables["summary"][0]["exact"] is True
    names = [path.name for path in curved.draw(found, "t", tmp_path / "h")]
    assert names == ["h-density.png", "h-density.svg"]


def test_ends_that_do_not_converge_are_left_out_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise StateError("expected residuals below 1, got 2")

    for name, value in {"EXACT": 10, "STEPS": 2, "PROBES": 2, "eigenvalues": failing}.items():
        monkeypatch.setattr(curvature, name, value)
    found = curved.find(run_of("mlp", tmp_path), replace(FEW, images=5), nobody)
    assert found.tables["summary"][0]["top"] is None
    assert found.notes == ["end: no extreme eigenvalues: expected residuals below 1, got 2"]


def snapshot_findings(calls: list[str]) -> Callable[..., Found]:
    def measured(run: Opened, asked: Asked, advance: Any, moment: str, model: Any, masks: Any) -> Found:
        if len(calls) == 3:
            calls.append("interrupted")
            raise KeyboardInterrupt
        calls.append(moment)
        norm = float(sum(weight.detach().square().sum() for weight in model.parameters()))
        tables = {name: [{"moment": moment, "norm": norm, "live": mask_ops.live(masks)}] for name in ("summary",)}
        return Found(tables)

    return measured


def test_each_moment_is_measured_once_also_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, calls = run_of("set", tmp_path), []
    monkeypatch.setattr(curved, "measured", snapshot_findings(calls))
    asked = replace(FEW, snapshots=True)
    with pytest.raises(KeyboardInterrupt):
        curved.find(run, asked, nobody)
    found = curved.find(run, asked, nobody)
    moments = ["step 4 before", "step 4 after", "step 8 before", "interrupted", "step 8 after", "end"]
    assert calls == moments
    rows = {row["moment"]: row for row in found.tables["summary"]}
    assert list(rows) == [each for each in moments if each != "interrupted"]
    assert {row["live"] for row in rows.values()} == {mask_ops.live(run.masks)}
    assert rows["step 4 after"]["norm"] < rows["step 4 before"]["norm"]  # weights died, newborn ones are zero
    assert rows["step 8 before"]["norm"] != rows["step 4 after"]["norm"]


def test_snapshots_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match=r"expected snapshots before and after mask updates .*--snapshots 500"):
        curved.find(run_of("mlp", tmp_path), replace(FEW, snapshots=True), nobody)


# the line


def test_the_line_between_two_runs(tmp_path: Path) -> None:
    run, other = run_of("set", tmp_path), run_of("other", tmp_path)
    found = interpolation.find(run, FEW, nobody, other)
    path = {row["alpha"]: row for row in found.tables["path"]}
    assert len(path) == 29
    assert path[0.5]["density"] > 1.5 * max(path[0.0]["density"], path[1.0]["density"])
    (summary,) = found.tables["summary"]
    test = run.test(60)
    with torch.no_grad():
        own = disagreement(run.model(test[0]), other.model(test[0]))
    assert summary["disagreement"] == own
    weights = [torch.cat([weight.detach().flatten() for weight in each.model.parameters()]) for each in (run, other)]
    assert summary["l2"] == pytest.approx(float((weights[0] - weights[1]).norm()), rel=1e-5)
    itself = interpolation.find(run, FEW, nobody, run).tables["summary"][0]
    assert itself["barrier_loss"] == pytest.approx(0, abs=1e-6)
    assert itself["l2"] == itself["disagreement"] == 0


def test_two_architectures_have_no_line(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"expected two runs of one architecture, got convnet \(set 90 %\) and mlp300"):
        interpolation.check_pair(run_of("set", tmp_path), run_of("mlp", tmp_path))


def test_two_data_sets_have_no_line(tmp_path: Path) -> None:
    run, other = run_of("set", tmp_path), run_of("other", tmp_path)
    elsewhere = replace(other, spec=replace(other.spec, fingerprint="0"))
    with pytest.raises(DataError, match="expected two runs on the same data, got Digits and Digits"):
        interpolation.check_pair(run, elsewhere)
    with pytest.raises(DataError, match="expected runs on the same images beside one another"):
        report.analyze(Console(quiet=True), run, FEW, [elsewhere])
    with pytest.raises(SettingError, match=r"expected other runs beside .*, each once"):
        report.analyze(Console(quiet=True), run, FEW, [run])


# what is kept


def test_what_was_found_is_found_once_for_each_setting_and_network(tmp_path: Path) -> None:
    run, calls = run_of("mlp", tmp_path), []

    def find() -> Found:
        calls.append(1)
        return Found({"rows": [{"a": 1.5, "b": None}]}, ["a sentence"], {"p": [[1]]})

    first, again = (kept(run, "part", {"images": 1}, find) for _ in range(2))
    assert first == again == Found({"rows": [{"a": 1.5, "b": None}]}, ["a sentence"], {"p": [[1]]})
    assert len(calls) == 1
    kept(run, "part", {"images": 2}, find)
    kept(replace(run, digest="other"), "part", {"images": 1}, find)
    kept(run, "another", {"images": 1}, find)
    assert len(calls) == 4


def test_bars_know_what_lies_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Progress] = []
    enter = Progress.__enter__
    monkeypatch.setattr(Progress, "__enter__", lambda self: drawn.append(self) or enter(self))
    with bars(Console(quiet=True)) as begin:
        advance = begin("hessian")
        advance(0, 10)
        advance(2.5)
        advance(1, 4)
        (task,) = drawn[0].tasks
        assert (task.description, task.completed, task.total) == ("hessian", 3.5, 14)


@pytest.mark.parametrize("wrong", [{"images": 0}, {"batch_size": 0}, {"seed": -1}])
def test_settings_outside_their_ranges_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError, match=r"expected images ≥ 1 and batch_size ≥ 1|expected a seed of 0 or more"):
        Asked(**wrong)  # type: ignore[arg-type]  # numbers by name


def test_what_was_not_found_without_a_run_is_found_when_it_is_back(tmp_path: Path) -> None:
    each = spec("lth", settings={"rounds": "1", "rewind": "0"}, data=load("digits"))
    place = Bench(load("digits"), tmp_path)
    run(each, place)
    dense = tmp_path / dense_of(each).key
    dense.rename(tmp_path / "away")
    own = opened(tmp_path / each.key, None, None, torch.device("cpu"))
    assert lacking(own) == [dense]
    keep = {"part": "toy", "settings": {}}
    assert kept(own, find=lambda: Found({}, ["without"]), **keep).notes == ["without"]
    (tmp_path / "away").rename(dense)
    assert lacking(own) == []
    assert kept(own, find=lambda: Found({}, ["with"]), **keep).notes == ["with"]
