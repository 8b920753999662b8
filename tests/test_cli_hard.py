"""``score``, ``corrupt``, ``evaluate`` and hard data on the command line: what works, and what is said to mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gossamer.bench.data import load
from gossamer.bench.models import build
from gossamer.corrupt import write_corrupted
from tests.test_cli import QUICK, invoke, refused, write_mnist


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of all sorts, a finished run and corrupted sets that belong to other data."""
    folder, data = tmp_path_factory.mktemp("checkpoints"), load("digits")
    model = build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))
    weights = model.state_dict()
    save_file(weights, folder / "net.safetensors")
    save_file({k: v for k, v in weights.items() if "normalize" not in k}, folder / "bare.safetensors")
    (folder / "broken.safetensors").write_bytes(b"broken")
    torch.save({"epoch": 3, "state": weights}, folder / "more.pt")
    assert invoke("train", *QUICK, "--method", "dense", "--out", str(folder / "runs")).exit_code == 0
    next((folder / "runs").iterdir()).rename(folder / "run")
    write_mnist(folder, labels=[0, 1, 2, 3])
    written = {"train": data.train_labels[:50], "short": data.test_labels[:50], "other": data.test_labels.flip(0) * 0}
    for name, labels in written.items():
        write_corrupted(data.test_images[: len(labels)], labels, folder / name, ["pixelate"], [1], family="cifar-c")
    (folder / "odd").mkdir()
    np.save(folder / "odd" / "fog.npy", np.zeros((5 * 359, 8, 8, 1), np.uint8))
    np.save(folder / "odd" / "labels.npy", data.test_labels[:358].numpy())
    (folder / "large").mkdir()
    np.save(folder / "large" / "fog.npy", np.zeros((5, 32, 32, 3), np.uint8))
    np.save(folder / "large" / "labels.npy", np.zeros(5, np.int64))
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "spec.json").write_text("{}")
    return folder


NET = "OUT/net.safetensors --data digits --model mlp300"
REFUSED: dict[str, tuple[str, str]] = {
    "no checkpoint": ("OUT/none.pt --attack fgsm", "none.pt: no such file; expected the folder of a finished run, or"),
    "no run": ("OUT/runs --attack fgsm", "no such file; expected the folder of a finished run"),
    "a run not finished": ("OUT/unfinished --attack fgsm", "expected the folder of a finished run"),
    "weights alone": ("OUT/net.safetensors --attack fgsm", "name both: --data NAME --model NAME"),
    "weights without data": ("OUT/net.safetensors --model mlp300 --attack fgsm", "name both: --data NAME --model NAME"),
    "no normalisation": ("OUT/bare.safetensors --data digits --model mlp300 --attack fgsm",
                         "expected the normalisation of the inputs among the weights"),
    "another network": ("OUT/net.safetensors --data digits --model convnet --attack fgsm", "expected the weights of"),
    "other data": ("OUT/net.safetensors --data mnist --folder OUT --model mlp300 --attack fgsm", "such as fc1.weight"),
    "no weights": ("OUT/broken.safetensors --data digits --model mlp300 --attack fgsm", "expected weights, got some"),
    "no state dict": ("OUT/more.pt --data digits --model mlp300 --attack fgsm", "pass the state dict inside"),
    "unknown data": ("OUT/net.safetensors --data digit --model mlp300 --attack fgsm", "did you mean 'digits'?"),
    "unknown network": ("OUT/net.safetensors --data digits --model mlp30 --attack fgsm", "did you mean 'mlp300'?"),
    "nothing to try": (NET, "expected something to try the network on: --corruptions, --corrupted-set or --attack"),
    "attack": (f"{NET} --attack pdg20", "unknown attack 'pdg20'; did you mean 'pgd'?"),
    "attack in grey levels": (f"{NET} --attack pgd20:eps=8", "grey levels of 255 pass eps=8/255"),
    "attack in training mode": (f"{NET} --attack pgd20:batch_norm=train", "as it is evaluated, got batch_norm=train"),
    "no images": (f"{NET} --attack fgsm --images 0", "Invalid value for '--images'"),
    "no batch": (f"{NET} --attack fgsm --batch-size 0", "Invalid value for '--batch-size'"),
    "corruption": (f"{NET} --corruptions fogg", "did you mean 'fog'?"),
    "colours": (f"{NET} --corruptions saturate", "saturate: expected images with 3 channels, got 1"),
    "severity": (f"{NET} --corruptions fog --severities 7", "got 7"),
    "severities": (f"{NET} --corruptions fog --severities 1;2", "whole numbers with commas, such as 1,3,5, got '1;2'"),
    "family": (f"{NET} --corruptions fog --family cifar", "did you mean 'cifar-c'?"),
    "frost": (f"{NET} --corruptions frost --frost OUT", "expected the photographs of frost"),
    "no set": (f"{NET} --corrupted-set OUT/none", "no such folder; give the folder of an extracted corrupted set"),
    "nothing in the set": (f"{NET} --corrupted-set OUT/run", "expected a corrupted set"),
    "a set of the other split": (f"{NET} --corrupted-set OUT/train", "expected the 359 test images of Digits, got 50"),
    "a set too short": (f"{NET} --corrupted-set OUT/short", "expected the 359 test images of Digits, got 50 images"),
    "a set of other labels": (f"{NET} --corrupted-set OUT/other", "in 1 classes instead of 10"),
    "a set whose labels do not match": (f"{NET} --corrupted-set OUT/odd", "images a kind and 358 labels do not match"),
    "a set of other images": (f"{NET} --corrupted-set OUT/large", "expected images of Digits, 1×8×8, got 3×32×32"),
    "a kind that is not there": (f"{NET} --corrupted-set OUT/short --corruptions fog", "expected fog too, but only p"),
    "no baseline": (f"{NET} --attack fgsm --baseline OUT/none.pt", "none.pt: no such file"),
    "baseline without its normalisation": (f"{NET} --attack fgsm --baseline OUT/bare.safetensors", "the normalisatio"),
    "device": (f"{NET} --attack fgsm --device nonsense", "expected a device such as cpu or cuda, got 'nonsense'"),
    "threads": (f"{NET} --attack fgsm --threads 0", "expected at least 1 thread, got 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_about_a_checkpoint_is_told_without_a_traceback(
    case: str, checkpoints: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, expected = REFUSED[case]
    before = sorted(checkpoints.rglob("*"))
    told = refused(capsys, monkeypatch, "evaluate", *line.replace("OUT", str(checkpoints)).split())
    assert expected in told
    assert sorted(checkpoints.rglob("*")) == before  # nothing was measured


def test_a_baseline_of_other_data_is_told(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", *QUICK, "--data", "mnist", "--folder", str(checkpoints), "--method", "dense")
    write_mnist(tmp_path, labels=[0, 1, 2, 3])
    assert invoke(*words, "--out", str(tmp_path / "runs")).exit_code == 0
    (run,) = (tmp_path / "runs").iterdir()
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist").symlink_to(checkpoints)
    told = refused(
        capsys, monkeypatch, "evaluate", str(checkpoints / "run"), "--attack", "fgsm", "--baseline", str(run)
    )
    assert "expected a baseline that is tried on the same images" in told
    assert "of MNIST" in told


def test_parquet_without_pyarrow_is_told_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossamer.bench.scoring.find_spec", lambda name: None)
    told = refused(capsys, monkeypatch, "score", *QUICK, "--format", "parquet", "--out", str(tmp_path))
    assert "parquet needs pyarrow, which is not installed: pip install pyarrow, or --format npz" in told
    assert not list(tmp_path.iterdir())


HARD = {
    "hard": ("--hard grand:0.5 --score-models 2", "719 of 1438 training images, the hardest over all classes by", [""]),
    "corrupted": ("--corrupt-train p1 --severity 5", "by gaussian_noise, impulse_noise, defocus_blur at severity 5",
                  ["accuracy on corrupted images: ", "clean accuracy: "]),
    "attacked": ("--adversarial pgd3 --keep 0.3", "a random 30 % of the training set, 431 images; trained under pgd3, ",
                 ["accuracy under pgd20: ", "clean accuracy: "]),
}  # fmt: skip


@pytest.mark.parametrize("kind", HARD)
def test_compare_on_each_kind_of_hard_data(kind: str, tmp_path: Path) -> None:
    line, words, verdicts = HARD[kind]
    quick = ("--model", "mlp300", "--epochs", "2", "--device", "cpu", "--seeds", "2", "--sparsity", "0.5")
    shown = invoke("compare", *quick, *line.split(), "--methods", "set,lth", "--out", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert words in told
    assert all(f"{verdict}Better than dense, with the whole" in told for verdict in verdicts)
    (folder,) = tmp_path.glob("compare-*")
    for name in ("accuracy", kind):
        assert f"{folder / name}.png" in shown.output
        assert (folder / f"{name}.svg").exists()


def test_train_tells_every_accuracy(tmp_path: Path) -> None:
    line = "--method dense --corrupt-train gaussian_noise --adversarial none --eval-attack pgd2:eps=0.5,step=0.001"
    shown = invoke("train", *QUICK, *line.split(), "--attack-images", "50", "--out", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    (folder,) = tmp_path.iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert result["attacked_images"] == 50
    labels = {
        "accuracy under pgd2:eps=0.5,step=0.001": "robust_accuracy",
        "accuracy on corrupted images": "test_accuracy",
        "clean accuracy": "clean_accuracy",
    }
    for label, field in labels.items():
        assert f"{label} {result[field]:.2%}" in told
    assert "trained under no attack, tested under pgd2:eps=0.5,step=0.001" in told
    assert "Beware: 2 steps reach 0.002 and never the border" in told


def test_a_run_is_evaluated_and_at_once_again(tmp_path: Path) -> None:
    assert invoke("train", *QUICK, "--method", "set", "--out", str(tmp_path / "runs")).exit_code == 0
    (run,) = (tmp_path / "runs").iterdir()
    words = ("evaluate", str(run), "--corruptions", "fog,pixelate", "--severities", "1,5", "--attack", "fgsm")
    first, again = invoke(*words, "--device", "cpu"), invoke(*words, "--device", "cpu")
    assert first.exit_code == 0, first.output
    assert first.output == again.output
    assert "Digits, mlp300, set at 0.9" in first.output
    to = ("--to", str(tmp_path / "set"))
    assert invoke("corrupt", "--kinds", "fog,pixelate", "--severities", "1,5", *to).exit_code == 0
    of_set = invoke("evaluate", str(run), "--corrupted-set", str(tmp_path / "set"), "--device", "cpu")
    assert of_set.exit_code == 0, of_set.output
    for kind in ("fog", "pixelate"):  # the same pictures
        lines = [[x for x in shown.output.splitlines() if f" {kind} " in x] for shown in (first, of_set)]
        assert lines[0] == lines[1] != []


@pytest.mark.parametrize(("given", "needed"), [
    ("train --severity 3", "expected --corrupt-train with --severity"),
    ("compare --frost procedural --family cifar-c", "expected --corrupt-train with --family and --frost"),
    ("train --eval-attack fgsm --attack-images 9", "expected --adversarial with --eval-attack and --attack-images"),
    ("compare --per-class --drop-hardest 0.1", "expected --hard with --per-class and --drop-hardest"),
    ("evaluate nothing --attack fgsm --severities 3", "with --severities, which does nothing alone"),
])  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(
    given: str, needed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert needed in refused(capsys, monkeypatch, *given.split())
