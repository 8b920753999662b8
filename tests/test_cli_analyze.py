"""``gossamer analyze``: what it writes and prints, what is not found twice, what is told of mistakes."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from gossamer.bench.analysis import report
from gossamer.bench.analysis.report import CHEAP, PARTS
from tests.test_analysis import folder_of
from tests.test_cli import invoke, refused

FEW = ("--images", "60", "--device", "cpu")


def copied(name: str, tmp_path: Path) -> Path:
    shutil.copytree(folder_of(name).parent, tmp_path / name)
    return tmp_path / name / folder_of(name).name


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "analysis").iterdir() if path.is_file()}


def rows(run: Path, name: str) -> list[dict[str, str]]:
    with (run / "analysis" / name).open() as file:
        return list(csv.DictReader(file))


def test_without_an_option_the_cheap_parts_are_written_drawn_and_printed(tmp_path: Path) -> None:
    run = copied("set", tmp_path)
    done = invoke("analyze", str(run), *FEW)
    assert done.exit_code == 0, done.output
    written = files(run)
    for part in CHEAP:
        assert {f"{part}.json", f"{part}.png", f"{part}.svg"} <= set(written)
        assert f"{part}: " in done.output
        content = json.loads(written[f"{part}.json"])
        assert content["title"] == "Digits, convnet, set 90 %, seed 0"
        assert set(content["files"]) <= set(written)
    told = " ".join(done.output.split())
    assert all(str(run / "analysis" / name) in told for name in written)
    assert {"density-over_time.svg", "flow-updates.csv", "kernels-channels.csv", "spectrum-filters.png"} <= set(written)
    assert "hessian.json" not in written
    for word in ("this run", "ERK", "SNIP", "uniform", "conv4"):
        assert word in written["density.svg"].decode()
    assert "change at mask updates" in written["flow.svg"].decode()
    layers = {row["layer"]: row for row in rows(run, "density-layers.csv")}
    live = json.loads((run / "result.json").read_bytes())["density"]
    assert {name: float(row["density"]) for name, row in layers.items()} == pytest.approx(live)


def test_the_same_command_again_finds_nothing_anew_and_writes_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied("set", tmp_path)
    first = invoke("analyze", str(run), *FEW)
    before = files(run)
    shutil.rmtree(run / "analysis", ignore_errors=False)
    invoke("analyze", str(run), *FEW)
    assert files(run) == before  # found anew: the same

    def never(*_: object) -> None:
        raise AssertionError("found again")

    for name in CHEAP:
        monkeypatch.setitem(PARTS, name, report.Part(never, PARTS[name].settings, PARTS[name].draw, PARTS[name].shown))  # type: ignore[arg-type]  # it never returns
    again = invoke("analyze", str(run), *FEW)
    assert again.exit_code == 0
    assert again.output == first.output
    assert files(run) == before
    assert isinstance(invoke("analyze", str(run), "--spectrum", "--images", "50").exception, AssertionError)


def test_what_a_network_has_nothing_for_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    mlp = invoke("analyze", str(run := copied("mlp", tmp_path)), *FEW)
    assert mlp.exit_code == 0
    assert "kernels is left out: expected a network with convolutions to count their kernels, got mlp300" in mlp.output
    assert "--trace 100" in mlp.output
    assert "no power spectra of filters" in mlp.output
    assert "kernels.json" not in files(run)
    dense = invoke("analyze", str(copied("dense", tmp_path)), *FEW)
    assert dense.exit_code == 0
    assert "density is left out: expected a sparse run to look at its densities, got dense" in dense.output


def test_networks_are_shown_beside_one_another(tmp_path: Path) -> None:
    run, dense, other = (copied(name, tmp_path) for name in ("set", "dense", "other"))
    words = ("--spectrum", "--heat-map", "--beside", str(dense), "--beside", str(other))
    done = invoke("analyze", str(run), *words, *FEW)
    assert done.exit_code == 0, done.output
    assert {row["run"] for row in rows(run, "spectrum-beside-radius.csv")} == {
        "set 90 %, seed 0", "dense", "set 90 %, seed 1"
    }  # fmt: skip
    for figure in ("spectrum", "spectrum-filters", "spectrum-heat_map"):
        drawn = files(run)[f"{figure}.svg"].decode()
        assert all(name in drawn for name in ("set 90 %, seed 0", "dense", "set 90 %, seed 1"))
    assert not (dense / "analysis").exists()
    plain = invoke("analyze", str(run), "--spectrum", *FEW)
    assert plain.exit_code == 0
    assert "spectrum-heat_map.png" not in files(run)  # it would be another command's
    assert "spectrum-filters.png" in files(run)


def test_curvature_with_its_moments(tmp_path: Path) -> None:
    run = copied("mlp", tmp_path)
    done = invoke("analyze", str(run), "--hessian", "--images", "20", "--device", "cpu")
    assert done.exit_code == 0, done.output
    (summary,) = rows(run, "hessian-summary.csv")
    values = [float(row["eigenvalue"]) for row in rows(run, "hessian-eigenvalues.csv")]
    assert len(values) == int(summary["coordinates"])
    assert float(summary["top"]) == max(values)
    assert (
        "eigenvalues of the Hessian over live weights and biases, 20 training images"
        in files(run)["hessian.svg"].decode()
    )


def test_the_line_to_another_run(tmp_path: Path) -> None:
    run, other, dense = (copied(name, tmp_path) for name in ("set", "other", "dense"))
    done = invoke("analyze", str(run), "--interpolate", str(other), *FEW)
    assert done.exit_code == 0, done.output
    assert "barrier of the loss" in done.output
    assert "density.json" not in files(run)  # only what was asked for
    assert invoke("analyze", str(run), "--interpolate", str(dense), *FEW).exit_code == 0
    tables = [name for name in files(run) if name.endswith("-path.csv")]
    assert len(tables) == 2
    assert all(len(rows(run, name)) == 29 for name in tables)
    drawn = [content.decode() for name, content in files(run).items() if name.endswith(".svg")]
    assert any("to set 90 %, seed 1" in each for each in drawn)


REFUSED = {
    "no folder": ("OUT/none", "expected the folder of a finished run, got"),
    "no run": ("OUT/empty", "expected the folder of a run with its spec.json"),
    "a file": ("OUT/mlp/RUN/model.safetensors", "expected the folder of a finished run, got"),
    "a run not finished": ("OUT/unfinished", "has no result.json yet; run its `gossamer train` again"),
    "no description": ("OUT/odd", "expected a run's description, got something else"),
    "kernels of none": ("MLP --kernels", "expected a network with convolutions to count their kernels, got mlp300"),
    "densities of a dense one": ("DENSE --density", "expected a sparse run to look at its densities, got dense"),
    "no snapshots": ("MLP --hessian --snapshots", "expected snapshots before and after mask updates"),
    "another architecture": (
        "MLP --interpolate DENSE",
        "expected two runs of one architecture, got mlp300 (rigl 98 %)",
    ),
    "no other run": ("MLP --interpolate OUT/none", "expected the folder of a finished run, got"),
    "itself beside it": ("MLP --spectrum --beside MLP", "each once; name each --beside once"),
    "beside nothing": (
        "MLP --density --beside DENSE",
        "expected --spectrum with --beside, which would do nothing without it",
    ),
    "no heat map without spectrum": ("MLP --flow --heat-map", "expected --spectrum with --heat-map"),
    "exactly nothing": ("MLP --exact --snapshots", "expected --hessian with --snapshots and --exact"),
    "no images": ("MLP --images 0", "Invalid value for '--images'"),
    "unknown data": ("MLP --data digit", "did you mean 'digits'?"),
    "a device": ("MLP --device nonsense", "expected a device such as cpu or cuda, got 'nonsense'"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("mlp", "dense"):
        copied(name, folder)
    for name, missing in {"unfinished": "result.json", "odd": "nothing"}.items():
        shutil.copytree(folder_of("mlp"), folder / name, ignore=shutil.ignore_patterns(missing))
    (folder / "odd" / "spec.json").write_text("{}")
    (folder / "empty").mkdir()
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_told_without_a_traceback(
    case: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, expected = REFUSED[case]
    named = {"MLP": place / "mlp" / folder_of("mlp").name, "DENSE": place / "dense" / folder_of("dense").name}
    words = line.replace("OUT", str(place)).replace("RUN", folder_of("mlp").name).split()
    told = refused(capsys, monkeypatch, "analyze", *(str(named.get(word, word)) for word in words))
    assert expected in told
    assert not list(place.rglob("analysis"))


def test_data_of_another_content_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied("mlp", tmp_path)
    spec = json.loads((run / "spec.json").read_bytes())
    (run / "spec.json").write_text(json.dumps({**spec, "fingerprint": "0" * 64}))
    for more in ((), ("--data", "digits")):
        told = refused(capsys, monkeypatch, "analyze", str(run), *more)
        assert "expected the data set that" in told
        assert "another content" in told


def test_another_version_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied("mlp", tmp_path)
    spec = json.loads((run / "spec.json").read_bytes())
    (run / "spec.json").write_text(json.dumps({**spec, "schema": 1}))
    assert "expected a description of schema" in refused(capsys, monkeypatch, "analyze", str(run))
