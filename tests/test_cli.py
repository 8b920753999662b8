"""The command line: what it prints, and what it says to a user's mistakes."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import gossamer
from gossamer.bench import session
from gossamer.bench.models import MODELS
from gossamer.bench.recipes import RECIPES
from gossamer.bench.store import RunFolder
from gossamer.cli import app, main
from gossamer.core.errors import UserError

QUICK = ("--model", "mlp300", "--epochs", "1", "--device", "cpu", "--checkpoint-seconds", "1000")


COMMANDS = (
    "train",
    "compare",
    "quickstart",
    "score",
    "corrupt",
    "evaluate",
    "analyze",
    "reproduce",
    "methods",
    "models",
    "data",
)


def invoke(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What ``gossamer`` prints before it ends with a code that is not 0; a traceback would come out here as itself."""
    monkeypatch.setattr(sys, "argv", ["gossamer", *words])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main() sets its own
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (0, None)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out
    return " ".join((printed.err + printed.out).replace("│", " ").split())


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str) -> None:
    shown = invoke(*command.split(), "--help")
    assert shown.exit_code == 0
    assert "Usage" in shown.output
    assert "--help" in shown.output
    if not command:
        listed = [line.split()[1] for line in shown.output.splitlines() if re.match(r"│ [a-z]+ +[A-Z]", line)]
        assert tuple(listed) == COMMANDS  # what one does first stands first


def test_the_version_is_told() -> None:
    shown = invoke("--version")
    assert (shown.exit_code, shown.output) == (0, f"gossamer {gossamer.__version__}, torch {torch.__version__}\n")


def test_lists_are_complete() -> None:
    methods, models, data = invoke("methods").output, invoke("models").output, invoke("data").output
    assert all(f" {name} " in methods for name in RECIPES)
    assert all(f" {name} " in models for name in MODELS)
    assert all(name in data for name in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100"))


def test_the_module_and_the_script_are_the_same_program() -> None:
    script = Path(sys.executable).parent / "gossamer"
    told = [
        subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for words in ([sys.executable, "-m", "gossamer.cli", "--version"], [str(script), "--version"])
    ]
    assert told[0] == told[1] != ""


def test_train_prints_report_and_accuracy_and_again_at_once(tmp_path: Path) -> None:
    words = ("train", *QUICK, "--method", "rigl", "--set", "every=1", "--out", str(tmp_path))
    first, again = invoke(*words), invoke(*words)
    assert first.exit_code == again.exit_code == 0, first.output
    assert "fc1.weight" in first.output
    assert "sparsity 0.900000" in first.output
    (folder,) = tmp_path.iterdir()
    assert str(folder) in first.output
    assert "test accuracy" in again.output
    given = json.loads((folder / "spec.json").read_text())
    assert (given["recipe"], given["sparsity"], given["settings"]["every"]) == ("rigl", 0.9, "1")


def test_train_on_the_hardest_says_how_they_were_chosen(tmp_path: Path) -> None:
    hard = ("--hard", "el2n:0.25", "--score-models", "2", "--score-epochs", "1", "--per-class")
    shown = invoke("train", *QUICK, "--method", "dense", *hard, "--out", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    words = "360 of 1438 training images, the hardest of every class by EL2N after 1 of 1 epochs, mean of 2 networks"
    assert words in " ".join(shown.output.split())


def test_compare_prints_a_table_and_writes_it(tmp_path: Path) -> None:
    words = ("compare", *QUICK, "--methods", "set,snip", "--sparsity", "0.5", "--seeds", "2", "--out", str(tmp_path))
    shown = invoke(*words)
    assert shown.exit_code == 0, shown.output
    for word in ("dense", "set", "snip", "vs dense", "Better than dense", "accuracy.png", "table.csv"):
        assert word in shown.output
    (folder,) = tmp_path.glob("compare-*")
    assert {"table.csv", "table.json", "accuracy.png", "accuracy.svg"} <= {path.name for path in folder.iterdir()}


def test_quickstart_compares_at_least_eight_methods_with_dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(session.QUICKSTART_METHODS) >= 8
    assert len(session.QUICKSTART_SPARSITIES) == 2
    settings = session.train_settings
    monkeypatch.setattr(
        session, "train_settings", lambda model, shortcuts, texts: settings("mlp300", {**shortcuts, "epochs": 3}, texts)
    )
    monkeypatch.setattr(session, "QUICKSTART_SPARSITIES", (0.8,))
    monkeypatch.setattr(session, "QUICKSTART_METHODS", ("rigl", "lth"))
    shown = invoke("quickstart", "--seeds", "1", "--out", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    assert "719 of 1438 training images" in " ".join(shown.output.split())
    assert "lth" in shown.output
    assert "One seed has no interval" in " ".join(shown.output.split())


MISTAKES: dict[str, tuple[str, str]] = {
    "sparsity 1": ("train --sparsity 1", "[0, 1)"),
    "sparsity in percent": ("train --sparsity 90", "0.9"),
    "negative sparsity": ("train --sparsity=-0.1", "[0, 1)"),
    "sparsity nan": ("train --sparsity nan", "[0, 1)"),
    "sparsity no number": ("train --sparsity lots", "Invalid value for '--sparsity'"),
    "sparsities no numbers": ("compare --sparsity 0.5;0.9", "expected sparsities as numbers with commas"),
    "sparsities in percent": ("compare --sparsity 50,90", "[0, 1)"),
    "no sparsity": ("compare --methods set --sparsity ,", "sparsit"),
    "method": ("train --method rigll", "unknown method 'rigll'; did you mean 'rigl'?"),
    "methods": ("compare --methods set,snpi", "unknown method 'snpi'; did you mean 'snip'?"),
    "model": ("train --model resnet19", "did you mean 'resnet18'?"),
    "factory's module": ("train --model nowhere:net", "there is no module 'nowhere'"),
    "factory": ("train --model tests.dropout_model:net", "has no 'net'"),
    "data": ("train --data digit", "did you mean 'digits'?"),
    "missing folder": ("train --data ./nowhere", "./nowhere"),
    "missing files": ("train --data cifar100 --folder ./nowhere", "cifar100"),
    "training setting": ("train --train learning_rate=1", "unknown setting of TrainSettings 'learning_rate'"),
    "training setting malformed": ("train --train epochs", "expected --train NAME=VALUE, got 'epochs'"),
    "training setting nameless": ("train --train =3", "expected --train NAME=VALUE, got '=3'"),
    "training setting's type": ("train --train batch_size=many", "expected TrainSettings.batch_size to be int"),
    "training setting's choice": ("train --train optimizer=lion", "'sgd' or 'adamw'"),
    "training setting's range": ("train --epochs 0", "expected epochs ≥ 1, got 0"),
    "learning rate": ("train --lr -1", "expected lr > 0, got -1.0"),
    "learning rate nan": ("train --lr nan", "expected lr > 0, got nan"),
    "setting": ("train --method rigl --set evry=3", "did you mean 'every'?"),
    "setting's type": ("train --method rigl --set every=often", "expected RigL.every"),
    "setting malformed": ("train --method rigl --set every", "expected --set NAME=VALUE"),
    "setting's method": ("train --method rigl --set set.every=1", "unknown method in --set 'set'"),
    "setting without method": ("compare --methods rigl --set every=1", "expected --set METHOD.NAME=VALUE"),
    "setting of dense": ("train --method dense --set every=3", "expected no settings for 'dense'"),
    "budget": ("train --method set --sparsity 0.9 --set dense=fc1.weight", "fc1.weight"),
    "unknown dense layer": ("train --method set --set dense=fc9.weight", "fc9.weight"),
    "hard": ("train --hard el2n", "expected --hard SCORE:SHARE, such as el2n:0.5, got 'el2n'"),
    "hard's share": ("train --hard el2n:1.5", "expected keep in (0, 1], got 1.5"),
    "hard's share no number": ("train --hard el2n:1e", "expected --hard SCORE:SHARE"),
    "hard's score": ("train --hard el3n:0.5", "unknown difficulty score 'el3n'; did you mean 'el2n'?"),
    "hard, too much of it": ("train --hard el2n:0.5 --drop-hardest 0.6", "keep + drop of at most 1, got 0.5 + 0.6"),
    "hard, epochs": ("train --hard aum:0.5 --score-models 1", "expected at least 2 epochs for aum"),
    "keep": ("train --keep 0", "expected keep in (0, 1], got 0.0; 0.3 keeps 30 % of the training images"),
    "keep in percent": ("compare --keep 30", "expected keep in (0, 1], got 30.0"),
    "keep of none": ("train --keep 0.0001", "leaves at least one of 1438 images"),
    "corruption": ("train --corrupt-train gausian_noise", "did you mean 'gaussian_noise'?"),
    "corruption's severity": (
        "train --corrupt-train p1 --severity 7",
        "severity of 1 to 5 (0 changes nothing, 6 is ext",
    ),
    "corruption that changes nothing": ("train --corrupt-train p1 --severity 0", "got 0, which changes nothing"),
    "corruption's family": ("train --corrupt-train p1 --family cifar10-c", "did you mean 'cifar-c'?"),
    "corruption of colours": ("compare --corrupt-train saturate", "grey images, got saturate, which change colours"),
    "corruption of nothing": ("train --corrupt-train ,", "expected at least one kind of corruption, got none"),
    "frost": ("train --corrupt-train frost --frost OUT", "expected the photographs of frost"),
    "attack": ("train --adversarial pdg10", "unknown attack 'pdg10'; did you mean 'pgd'?"),
    "attack in grey levels": (
        "train --adversarial pgd10:eps=8",
        "got 8; for a change of 8 grey levels of 255 pass eps=8",
    ),
    "attack's setting": ("train --adversarial pgd10:epsilon=8/255", "unknown setting 'epsilon'; did you mean 'eps'?"),
    "attack's setting malformed": ("train --adversarial pgd10:eps", "expected setting=value in 'pgd10:eps'"),
    "attack to train under": ("train --adversarial autoattack", "expected fgsm or pgd to train under, such as pgd10"),
    "attack to evaluate": ("compare --adversarial pgd10 --eval-attack pgd20:eps=8", "pass eps=8/255"),
    "attacked images": (
        "train --adversarial pgd2 --attack-images 0",
        "expected at least 1 test image to attack, got 0",
    ),
    "score": ("score --scores el2n,gradn", "unknown difficulty score 'gradn'; did you mean 'grand'?"),
    "no score": ("score --scores ,", "expected at least one score and one model, got 0 and 3"),
    "score's networks": ("score --score-models 0", "expected at least one score and one model, got 1 and 0"),
    "score's epochs": ("score --score-epochs 0", "expected at least 1 epoch before scoring, got 0"),
    "score over one epoch": ("score --scores forgetting", "expected at least 2 epochs for forgetting"),
    "score's format": ("score --format csv", "unknown format of scores 'csv'; known: npz, parquet"),
    "score's corruption": ("score --corrupt-train spatter", "got spatter, which change colours"),
    "score's share": ("score --keep 2", "expected keep in (0, 1], got 2.0"),
    "corrupted kinds": ("corrupt --kinds fogg --to OUT/set", "did you mean 'fog'?"),
    "corrupted colours": (
        "corrupt --kinds fog,spatter,saturate --to OUT/set",
        "got spatter, saturate, which change co",
    ),
    "corrupted severity": ("corrupt --kinds fog --severities 1,7 --to OUT/set", "got 7"),
    "corrupted severities": (
        "corrupt --severities high --to OUT/set",
        "whole numbers with commas, such as 1,3,5, got 'high'",
    ),
    "corrupted severities in disorder": ("corrupt --kinds fog --severities 5,1 --to OUT/set", "rising, got (5, 1)"),
    "no corrupted severity": ("corrupt --severities , --to OUT/set", "expected severities as whole numbers"),
    "corrupted split": ("corrupt --split tset --to OUT/set", "unknown split 'tset'; did you mean 'test'?"),
    "corrupted layout": ("corrupt --layout folder --to OUT/set", "did you mean 'folders'?"),
    "corrupted family": ("corrupt --family imagenet --to OUT/set", "did you mean 'imagenet-c'?"),
    "corrupted constants": ("corrupt --kinds fog --family imagenet-c --to OUT/set", "16 pixels or more"),
    "corrupted seed": ("corrupt --seed -1 --to OUT/set", "expected a seed of 0 or more, got -1"),
    "corrupted frost": ("corrupt --kinds frost --frost OUT --to OUT/set", "expected the photographs of frost"),
    "corrupted folder": ("corrupt --kinds fog --to OUT", "expected an empty folder"),
    "corrupted into a file": ("corrupt --kinds fog --to OUT/file", "OUT/file"),
    "corrupted data": ("corrupt --data digit --to OUT/set", "did you mean 'digits'?"),
    "corrupted threads": ("corrupt --threads 0 --to OUT/set", "expected at least 1 thread, got 0"),
    "hard's networks": ("train --hard el2n:0.5 --score-models 0", "at least 1 model"),
    "hard's epochs": ("train --hard el2n:0.5 --score-epochs 0", "at least 1 model and 1 epoch"),
    "hardest of none": ("train --hard el2n:0.0001 --score-models 1", "leaves none"),
    "device": ("train --device nonsense", "expected a device such as cpu or cuda, got 'nonsense'"),
    "threads": ("train --threads 0", "expected at least 1 thread, got 0"),
    "seed": ("train --seed -1", "expected a seed of 0 or more, got -1"),
    "seeds": ("compare --seeds 0", "Invalid value for '--seeds'"),
    "rounds no number": ("train --method lth --set rounds=two", "expected LTH.rounds to be int"),
    "no loss": ("train --method dense --lr 1e6", "expected a finite loss"),
    "rewind": ("train --method lth --set rewind=1000", "expected rewind below the 12 steps of the training, got 1000"),
    "rounds": ("train --method lth --set rounds=0", "expected rounds ≥ 1"),
    "one image a batch": ("train --method dense --model convnet --batch-size 1", "batch"),
    "one image in all": ("train --method dense --model convnet --hard el2n:0.0007 --score-models 1", "batch"),
    "out is a file": ("train --out OUT/file", "OUT"),
    "unwritable folder": ("train --out /proc/none", "/proc/none"),
    "command": ("trian", "No such command 'trian'"),
    "download": ("data --download cifar11", "did you mean 'cifar10'?"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_without_a_traceback(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, expected = MISTAKES[case]
    (tmp_path / "file").write_text("not a folder")
    words = line.replace("OUT", str(tmp_path)).split()
    quick = {} if words[0] not in ("train", "compare", "score") else {
        "--model": "mlp300", "--epochs": "1", "--device": "cpu", "--out": str(tmp_path / "runs"),
        **({"--method": "set"} if words[0] == "train" else {}),
    }  # fmt: skip
    given = [part for name, value in quick.items() if name not in words for part in (name, value)]
    told = refused(capsys, monkeypatch, *words, *given)
    assert expected.replace("OUT", str(tmp_path)) in told


@pytest.mark.parametrize("case", ["setting", "setting's type", "method", "setting of dense", "rounds"])
def test_a_mistake_in_the_method_is_told_before_anything_is_trained(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*MISTAKES[case][0].split(), *QUICK, "--hard", "el2n:0.5", "--score-models", "1", "--out", str(tmp_path)]
    refused(capsys, monkeypatch, *words)
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize("line", ["--set rigl.evry=3", "--set rigl.every=often"])
def test_a_mistake_in_a_comparison_is_told_before_anything_is_trained(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = refused(
        capsys, monkeypatch, "compare", *QUICK, "--methods", "set,rigl", "--seeds", "1", *line.split(), "--out",
        str(tmp_path),
    )  # fmt: skip
    assert "every" in told
    assert not list(tmp_path.rglob("result.json"))


def test_labels_outside_their_range_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path, labels=[0, 1, 77, 3])
    told = refused(capsys, monkeypatch, "train", "--data", "mnist", "--folder", str(tmp_path), *QUICK)
    assert "label 77 at index 2 is outside 0..9" in told


def test_a_truncated_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path, labels=[0, 1, 2, 3])
    images = tmp_path / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-100])
    told = refused(capsys, monkeypatch, "train", "--data", "mnist", "--folder", str(tmp_path), *QUICK)
    assert "train-images-idx3-ubyte" in told


def write_mnist(folder: Path, labels: list[int]) -> None:
    header = np.array([2051, len(labels), 28, 28], dtype=">i4").tobytes()
    for split in ("train", "t10k"):
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + bytes(range(256)) * (784 * len(labels) // 256 + 1))
        path = folder / f"{split}-images-idx3-ubyte"
        path.write_bytes(path.read_bytes()[: 16 + 784 * len(labels)])
        content = np.array([2049, len(labels)], dtype=">i4").tobytes() + bytes(labels)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(content)


def test_a_run_that_another_process_trains_is_left_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *QUICK, "--method", "dense", "--out", str(tmp_path))
    assert invoke(*words).exit_code == 0
    (folder,) = tmp_path.iterdir()
    (folder / "result.json").unlink()
    with RunFolder(folder).locked():
        told = refused(capsys, monkeypatch, *words)
    assert "another process is training this run; wait for it, or choose another folder with --out" in told
    assert invoke(*words).exit_code == 0


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from gossamer.cli import main
sys.argv[0] = "gossamer"
main()
"""


def test_a_full_disk_is_told_and_what_was_finished_is_kept(tmp_path: Path) -> None:
    small = ("--model", "tests.dropout_model:network", "--epochs", "1", "--device", "cpu", "--out", str(tmp_path))
    assert invoke("train", *small, "--method", "dense").exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    large = [part.replace("tests.dropout_model:network", "mlp300") for part in small]  # 200 kB a file
    ended = subprocess.run(
        [sys.executable, "-c", FULL, "train", "--method", "dense", *large], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    said = " ".join(ended.stderr.split())
    assert ended.returncode != 0
    assert "Traceback" not in said
    assert "File too large" in said
    assert "run the same command again: what was finished is kept" in said
    assert str(tmp_path) in said  # where it is full
    assert {path: path.read_bytes() for path in before} == before
    assert not list(tmp_path.rglob("*.part"))
    assert invoke("train", *large, "--method", "dense").exit_code == 0


def mounted(folder: Path) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_really_full_disk_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0 or not mounted(tmp_path):
        pytest.skip("mounting a tiny file system needs root and the right to mount")
    try:
        told = refused(capsys, monkeypatch, "train", *QUICK, "--method", "dense", "--out", str(tmp_path))
        assert "No space left on device" in told
        assert str(tmp_path) in told
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("name", ["a[/b]", "[red]"])
def test_paths_are_printed_as_they_are(name: str, tmp_path: Path) -> None:
    shown = invoke("train", *QUICK, "--method", "dense", "--out", str(tmp_path / name))
    assert shown.exception is None
    assert str(tmp_path / name) in shown.output


def test_warnings_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["gossamer", "train", *QUICK, "--method", "rigl", "--out", str(tmp_path)])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "warning: rigl changes its masks only 0 times in 12 steps" in told
    assert ".py" not in told


def test_errors_of_the_program_itself_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gossamer.bench.tables.methods", broken)
    monkeypatch.setattr(sys, "argv", ["gossamer", "methods"])
    with pytest.raises(ZeroDivisionError):
        main()
    assert not issubclass(ZeroDivisionError, UserError)
