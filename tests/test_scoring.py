"""Every score through the workbench equals the one computed by hand; ``gossamer score`` writes what it says."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from importlib import util
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR
from typer.testing import CliRunner

from gossamer.bench.data import PRESETS, Augment, Flip, seeded
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.models import build
from gossamer.bench.optim import factor
from gossamer.bench.score import FIRST_SEED, choose, score
from gossamer.bench.scoring import score_all
from gossamer.cli import app
from gossamer.core.errors import MissingError, SettingError, UnknownNameError
from gossamer.hardness import SCORES, hardest
from tests.reference import dynamics as twin
from tests.reference.grand import grand as grand_twin
from tests.reference.training import batches
from tests.workbench import TRAIN, Counting, Stopped, bench, digits, spec

LONG = replace(TRAIN, epochs=3, lr=0.2)  # fast enough to forget something
MODELS = 2


def network(seed: int | None = None) -> nn.Module:
    data = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        return build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))


def images() -> Tensor:
    return digits().train_images.float() / 255


def asked(out: Path) -> list[nn.Module]:
    """The networks from their files."""
    models = []
    for seed in range(FIRST_SEED, FIRST_SEED + MODELS):
        (folder,) = out.glob(f"*-dense-s0-seed{seed}-*")
        model = network().eval()
        model.load_state_dict(load_file(folder / "model.safetensors"))
        models.append(model)
    return models


@torch.no_grad()
def answers(out: Path) -> list[list[list[float]]]:
    return [model(images()).tolist() for model in asked(out)]


def watched(epochs: int, augment: Augment = Augment()) -> list[list[list[list[float]]]]:  # noqa: B008  # frozen
    """The bare loop, every training image asked after each epoch: (K, E, N, C)."""
    runs = []
    for seed in range(FIRST_SEED, FIRST_SEED + MODELS):
        model, data, step, seen = network(seed), digits(), 0, []
        optimizer = SGD(model.parameters(), lr=LONG.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
        scheduler = LambdaLR(optimizer, lambda number: factor(number, LONG, 3))
        for epoch in range(epochs):
            model.train()
            for chosen in batches(96, 32, seed=seed, epoch=epoch):
                optimizer.zero_grad()
                inputs = images()[chosen]
                inputs = augment(inputs, seeded(seed, step, 1)) if augment.steps else inputs
                cross_entropy(model(inputs), data.train_labels[chosen]).backward()
                optimizer.step()
                scheduler.step()
                step += 1
            with torch.no_grad():
                seen.append(model.eval()(images()).tolist())
        runs.append(seen)
    return runs


def last_layer(model: nn.Module, labels: Tensor) -> list[float]:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in ("fc3.weight", "fc3.bias"))
    return list(grand_twin(model, images(), labels))


def averaged(values: list[list[float]]) -> list[float]:
    return [math.fsum(each) / len(each) for each in zip(*values, strict=True)]


LABELS = digits().train_labels
SLOW: dict[str, Callable[[Path], list[float]]] = {
    "el2n": lambda out: twin.over_models(answers(out), LABELS.tolist(), el2n_one),
    "margin": lambda out: twin.over_models(answers(out), LABELS.tolist(), twin.margin),
    "loss": lambda out: twin.over_models(answers(out), LABELS.tolist(), twin.loss),
    "consistency": lambda out: twin.consistency([[each] for each in answers(out)], LABELS.tolist()),
    "last_layer_grand": lambda out: averaged([last_layer(model, LABELS) for model in asked(out)]),
    "grand": lambda out: averaged([grand_twin(model, images(), LABELS) for model in asked(out)]),
    "forgetting": lambda out: twin.forgetting(watched(3), LABELS.tolist()),
    "aum": lambda out: twin.over_runs(watched(3), LABELS.tolist(), twin.aum),
    "confidence": lambda out: twin.over_runs(watched(3), LABELS.tolist(), twin.confidence),
    "variability": lambda out: twin.over_runs(watched(3), LABELS.tolist(), twin.variability),
}


def el2n_one(logits: list[float], label: int) -> float:
    shares = twin.probabilities(logits)
    return math.sqrt(sum((share - (c == label)) ** 2 for c, share in enumerate(shares)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("name", SCORES)
def test_the_hardest_are_those_of_the_score_by_hand(name: str, tmp_path: Path) -> None:
    hard = Hard(score=name, keep=0.3, models=MODELS, epochs=2 if SCORES[name].needs != "epochs" else None)
    found = choose(spec("rigl", hard=hard, train=LONG), bench(tmp_path))
    assert found is not None
    expected = torch.tensor(SLOW[name](tmp_path), dtype=torch.float64)
    torch.testing.assert_close(found.scored.mean, expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(found.indices, hardest(found.scored.mean, 0.3))
    overlap = set(found.indices.tolist()) & set(hardest(expected, 0.3).tolist())
    assert len(overlap) >= 28  # of 29: equal but for rounding
    assert found.scored.each.shape == (MODELS, 96)
    when = "over 3 of 3 epochs" if SCORES[name].needs == "epochs" else "after 2 of 3 epochs"
    assert f"by {'EL2N' if name == 'el2n' else name.replace('_', ' ')} {when}, mean of 2 networks" in found.provenance


def test_logged_answers_are_those_of_the_bare_loop_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "digits", Augment((Flip(),)))  # trained on mirrored images, asked of plain ones
    score(spec("dense", train=LONG), bench(tmp_path), "aum", models=MODELS, epochs=None)
    slow = torch.tensor(watched(3, Augment((Flip(),))))
    for number, seed in enumerate((FIRST_SEED, FIRST_SEED + 1)):
        (folder,) = tmp_path.glob(f"*-seed{seed}-*")
        logged = [load_file(path)["logits"] for path in sorted(folder.glob("logits-*"))]
        assert torch.equal(torch.stack(logged), slow[number])


def test_a_mean_over_networks_is_the_scores_own(tmp_path: Path) -> None:
    """One network that never learned a sample counts its epochs, and infinity is left to those none learned."""
    found = score(spec("dense", train=LONG), bench(tmp_path), "forgetting", models=MODELS, epochs=None)
    runs = torch.tensor(watched(3))
    for number in range(MODELS):
        assert torch.equal(found.each[number], SCORES["forgetting"].function(runs[number], LABELS))
    assert found.each.isinf().any()
    alone = found.each.isinf().sum(0) == 1
    assert found.mean[alone].isfinite().all()


@pytest.mark.parametrize("stop", [1, 3, 4, 9, 10, 17])
@pytest.mark.parametrize("name", ["forgetting", "grand"])
def test_stopped_anywhere_and_continued_scores_have_the_same_bytes(name: str, stop: int, tmp_path: Path) -> None:
    each, words = spec("dense", train=LONG), {"models": MODELS, "epochs": 3}
    score(each, bench(tmp_path / "whole"), name, **words)
    with pytest.raises(Stopped):
        score(each, bench(tmp_path / "stopped", watch=Counting(stop), checkpoint_seconds=0), name, **words)
    rest = Counting()
    score(each, bench(tmp_path / "stopped", watch=rest), name, **words)
    assert rest.steps <= 18 - stop + 1
    files = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.safetensors")}
    assert len(files) == 2 * 2 + 1 + (6 if name == "forgetting" else 0)
    for file in files:
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


@pytest.mark.parametrize(("epochs", "train"), [(1, LONG), (None, replace(LONG, epochs=1))])
def test_scores_over_epochs_need_two(epochs: int | None, train: Any, tmp_path: Path) -> None:
    words = r"expected at least 2 epochs for aum, a score over epochs, got 1; raise --epochs or --score-epochs"
    with pytest.raises(SettingError, match=words):
        score(spec("dense", train=train), bench(tmp_path), "aum", models=1, epochs=epochs)
    assert not list(tmp_path.iterdir())


# the command


NAMES = ["el2n", "grand", "forgetting"]


def scored(out: Path, names: list[str] = NAMES, *, models: int = MODELS, form: str = "npz", **changes: Any) -> Any:
    """Folder and what was printed."""
    console = Console(record=True, width=160, file=StringIO())
    folder = score_all(console, bench(out), spec("dense", train=LONG, **changes), names, models, None, form)
    return folder, console.export_text()


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("command") / "runs"
    return *scored(out), out


def test_the_file_has_a_column_for_each_score_and_each_network(command: Any) -> None:
    folder, _, out = command
    with np.load(folder / "scores.npz") as file:
        found = dict(file)
    assert list(found) == ["index", "label", *(f"{name}{end}" for name in NAMES for end in ("", "_0", "_1"))]
    assert found["index"].tolist() == list(range(96))
    assert found["label"].tolist() == LABELS.tolist()
    for name in NAMES:
        own = score(spec("dense", train=LONG), bench(out), name, models=MODELS, epochs=None)
        np.testing.assert_array_equal(found[name], own.mean.numpy())
        np.testing.assert_array_equal(np.stack([found[f"{name}_0"], found[f"{name}_1"]]), own.each.numpy())


def test_the_provenance_says_how_they_came_about(command: Any) -> None:
    folder, _, out = command
    told = json.loads((folder / "provenance.json").read_text())
    assert (told["data"], told["fingerprint"], told["images"]) == ("Digits", digits().fingerprint, 96)
    assert told["environment"]["torch"] == torch.__version__
    assert list(told["scores"]) == NAMES
    assert [told["scores"][name]["epochs"] for name in NAMES] == [1, 1, 3]
    for name, entry in told["scores"].items():
        assert (entry["about"], entry["paper"]) == (SCORES[name].about, SCORES[name].paper)
        assert [key.split("seed")[1][:5] for key in entry["runs"]] == ["1000-", "1001-"]
        assert all((out / key / "result.json").exists() for key in entry["runs"])
    assert told["scores"]["el2n"]["runs"] == told["scores"]["grand"]["runs"]  # trained once


def test_agreement_is_spearmans(command: Any) -> None:
    folder, printed, _ = command
    told = json.loads((folder / "agreement.json").read_text())
    with np.load(folder / "scores.npz") as file:
        found = dict(file)
    assert told["names"] == NAMES
    for place, name in enumerate(NAMES):
        own = spearmanr(found[f"{name}_0"], found[f"{name}_1"]).statistic
        assert told["between_networks"][name] == pytest.approx(own, abs=1e-12)
        for other, against in enumerate(NAMES):
            expected = spearmanr(found[name], found[against]).statistic
            assert told["between_scores"][place][other] == pytest.approx(expected, abs=1e-12)
        (line,) = [line for line in printed.splitlines() if f" {name} " in line and "." in line and "/" not in line]
        row = told["between_scores"][place]
        assert line.split()[-4:] == [f"{value:.2f}" for value in (own, *row)]
    assert (folder / "agreement.png").exists()


def test_sheets_say_of_which_epochs_the_scores_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr("gossamer.bench.scoring.hard_sheet", lambda *given: titles.append(given[2]) or [])
    scored(tmp_path / "runs", ["el2n", "forgetting"])
    first = "Digits, mlp300, 3 epochs; all 96 training images; 2 networks\nunder each image: "
    assert titles == [
        f"{first}EL2N after 1 of 3 epochs, {SCORES['el2n'].about}",
        f"{first}forgetting over 3 of 3 epochs, {SCORES['forgetting'].about}",
    ]


@pytest.mark.parametrize(("sign", "low"), [(1, 0.0), (-1, -1.0)])
def test_agreement_is_drawn_on_one_scale_with_one_set_of_names(
    sign: int, low: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("gossamer.bench.scoring.hard_sheet", lambda *_: [])
    monkeypatch.setattr("gossamer.bench.scoring.grid", lambda *given, **named: drawn.append((given, named)) or [])
    other = replace(SCORES["margin"], function=lambda *given: sign * SCORES["el2n"].function(*given))
    monkeypatch.setitem(SCORES, "margin", other)
    scored(tmp_path / "runs", ["el2n", "margin"])
    (((values, rows, columns, *_), named),) = drawn
    assert rows == columns == ["EL2N", "margin"]
    assert named == {"low": low, "high": 1.0, "form": ".2f"}
    assert values[0][1] == pytest.approx(sign)


def test_all_that_is_written_is_named(command: Any) -> None:
    folder, printed, _ = command
    names = {path.name for path in folder.iterdir()}
    sheets = {f"sheet-{name}.{ending}" for name in NAMES for ending in ("png", "svg")}
    tables = {"scores.npz", "provenance.json", "agreement.json", "agreement.png", "agreement.svg"}
    assert names == sheets | tables
    assert all(str(folder / name) in printed for name in names)


def test_again_nothing_is_trained_and_the_bytes_are_the_same(command: Any) -> None:
    folder, printed, out = command
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    assert scored(out) == (folder, printed)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("result.json")} == times


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sheets take a second each, and are tested by themselves."""
    monkeypatch.setattr("gossamer.bench.scoring.hard_sheet", lambda *_: [])


@pytest.mark.usefixtures("_undrawn")
def test_a_part_of_the_scores_is_another_folder_and_a_name_twice_is_once(command: Any) -> None:
    folder, _, out = command
    assert scored(out, ["el2n"])[0] != folder
    assert scored(out, [*NAMES, "el2n"])[0] == folder


@pytest.mark.usefixtures("_undrawn")
def test_indices_are_those_of_the_data_set_as_it_was_loaded(tmp_path: Path) -> None:
    folder, printed = scored(tmp_path / "runs", ["loss"], models=1, keep=0.5, corrupted=Corrupted(severity=2))
    drawn = np.sort(np.random.RandomState(12345).choice(96, 48, replace=False))
    with np.load(folder / "scores.npz") as file:
        assert file["index"].tolist() == drawn.tolist()
        assert file["label"].tolist() == LABELS[drawn].tolist()
    title = json.loads((folder / "provenance.json").read_text())["title"]
    assert "a random 50 % of the training set, 48 images" in title
    assert "at severity 2" in title
    assert title in " ".join(printed.split())


@pytest.mark.usefixtures("_undrawn")
def test_one_network_agrees_with_none_and_one_score_with_itself(tmp_path: Path) -> None:
    folder, printed = scored(tmp_path / "runs", ["margin"], models=1)
    told = json.loads((folder / "agreement.json").read_text())
    assert told == {"between_networks": {"margin": None}, "names": ["margin"], "between_scores": [[1.0]]}
    assert not (folder / "agreement.png").exists()
    assert "agreement.png" not in printed


@pytest.mark.usefixtures("_undrawn")
def test_a_score_that_ranks_nothing_agrees_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that are right everywhere are all equally consistent; JSON has no nan."""
    constant = replace(SCORES["consistency"], function=lambda logits, labels: torch.zeros(96, dtype=torch.float64))
    monkeypatch.setitem(SCORES, "consistency", constant)
    folder, printed = scored(tmp_path / "runs", ["consistency", "loss"])
    text = (folder / "agreement.json").read_text()
    assert "NaN" not in text
    told = json.loads(text)
    assert told["between_scores"] == [[None, None], [None, 1.0]]
    assert told["between_networks"]["consistency"] is None
    assert " nan" not in printed
    assert (folder / "agreement.png").stat().st_size > 1000


@pytest.mark.usefixtures("_undrawn")
def test_parquet_has_the_same_columns(command: Any) -> None:
    if util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is not installed: parquet cannot be written")
    folder, _, out = command
    other, printed = scored(out, form="parquet")
    assert other == folder
    found = pd.read_parquet(folder / "scores.parquet")
    with np.load(folder / "scores.npz") as file:
        assert list(found.columns) == list(file)
        for name in file:
            np.testing.assert_array_equal(found[name].to_numpy(), file[name])
            assert found[name].dtype == file[name].dtype
    assert "scores.parquet" in printed
    (folder / "scores.parquet").unlink()


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"names": ["el3n"]}, UnknownNameError, "unknown difficulty score 'el3n'; did you mean 'el2n'"),
    ({"names": []}, SettingError, "expected at least one score and one model, got 0 and 2"),
    ({"models": 0}, SettingError, "expected at least one score and one model, got 1 and 0"),
    ({"epochs": 0}, SettingError, "expected at least 1 epoch before scoring, got 0"),
    ({"form": "csv"}, UnknownNameError, "unknown format of scores 'csv'; known: npz, parquet"),
]


@pytest.mark.parametrize(("changes", "error", "words"), REFUSED)
def test_what_cannot_be_scored_is_refused_before_training(
    changes: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
) -> None:
    given = {"names": ["el2n"], "models": 2, "epochs": None, "form": "npz", **changes}
    with pytest.raises(error, match=words):
        score_all(Console(), bench(tmp_path), spec("dense"), **given)
    assert not list(tmp_path.iterdir())


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossamer.bench.scoring.find_spec", lambda name: None)
    words = "parquet needs pyarrow, which is not installed: pip install pyarrow, or --format npz"
    with pytest.raises(MissingError, match=words):
        score_all(Console(), bench(tmp_path), spec("dense"), ["el2n"], 1, None, "parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_undrawn")
def test_the_command_line_scores_by_all(tmp_path: Path) -> None:
    quick = ("--model", "mlp300", "--epochs", "2", "--device", "cpu", "--keep", "0.1", "--score-models", "1")
    shown = CliRunner().invoke(app, ["score", *quick, "--scores", "all", "--out", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    (folder,) = tmp_path.glob("scores-mlp300-*")
    with np.load(folder / "scores.npz") as file:
        assert {name for name in file if not name.endswith("_0")} == {"index", "label", *SCORES}
        assert len(file["index"]) == 143
    assert len(list(tmp_path.glob("digits-*"))) == 2  # after an epoch, and over both
