"""``gossamer evaluate``: every number is the library's, kept when found, and never another network's."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from gossamer.attack import FGSM, PGD, paired, robust_accuracy
from gossamer.bench import judging
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.judging import judge
from gossamer.bench.models import build
from gossamer.bench.on_disk import corrupted_set, identity
from gossamer.bench.subject import Subject
from gossamer.bench.trial import Record, Trial
from gossamer.core.errors import DataError, MissingError, SettingError, UnknownNameError
from gossamer.corrupt import corrupt, robustness, write_corrupted
from tests.workbench import digits

KINDS = ("gaussian_noise", "pixelate", "fog")
HOW = Corrupted(kinds=KINDS, seed=2)


def network(seed: int, data: Dataset) -> nn.Module:
    """One that has learned a little, in 30 steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(10 + 10 * seed):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.train_images.float() / 255), data.train_labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model.eval()


def made(folder: Path, seed: int = 0, data: Dataset | None = None, **changes: Any) -> Subject:
    data = data or digits()
    given = {"name": f"net {seed}", "place": folder / f"net{seed}.pt", "digest": f"digest {seed}", **changes}
    return Subject(network(seed, data), data, **given)


def judged(subject: Subject, trial: Trial, baseline: Subject | None = None) -> str:
    console = Console(record=True, width=200, file=StringIO())
    judge(console, subject, trial, baseline)
    return console.export_text()


def found(subject: Subject) -> dict[str, Any]:
    return dict(Record(subject).content["found"])


def accuracy(subject: Subject, images: Tensor) -> float:
    """One image at a time."""
    with torch.no_grad():
        right = [
            int(subject.model(image[None].float() / 255).argmax()) == int(label)
            for image, label in zip(images, subject.data.test_labels, strict=True)
        ]
    return sum(right) / len(right)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is measured, as it is written down."""
    keys: list[str] = []
    put = Record.put

    def watched(record: Record, key: str, value: Any) -> None:
        keys.append(key.split("|", 1)[-1])
        put(record, key, value)

    monkeypatch.setattr(Record, "put", watched)
    return keys


def test_every_accuracy_is_that_of_images_corrupted_one_by_one(tmp_path: Path) -> None:
    subject = made(tmp_path)
    printed = judged(subject, Trial(corrupted=HOW, severities=(1, 5)))
    kept, images = found(subject), subject.data.test_images
    assert kept["clean"] == accuracy(subject, images)
    means = []
    for kind in KINDS:
        own = []
        for severity in (1, 5):
            changed = torch.cat([
                corrupt(images[number : number + 1], kind, severity, seed=2, index=[number], family="cifar-c")
                for number in range(len(images))
            ])  # fmt: skip
            own.append(accuracy(subject, changed))
            assert kept[f"cifar-c, seed 2|{kind}|{severity}"] == own[-1]
        means.append(sum(own) / 2)
        (line,) = [line for line in printed.splitlines() if f" {kind} " in line]
        assert line.split() == [kind, *(f"{100 * value:.2f}" for value in (*own, means[-1]))]
    assert f"mean of 3 kinds (3 standard) {sum(means) / 3:.2%}" in printed
    assert f"clean {kept['clean']:.2%}" in printed
    assert {path.name for path in tmp_path.iterdir()} == {
        "net0.evaluation.json", "net0-corruptions.png", "net0-corruptions.svg"
    }  # fmt: skip
    assert all(str(path) in printed for path in tmp_path.iterdir())


def test_by_default_all_published_severities(tmp_path: Path, counted: list[str]) -> None:
    judged(made(tmp_path), Trial(corrupted=replace(HOW, kinds=("fog",))))
    assert counted == ["clean", *(f"fog|{severity}" for severity in range(1, 6))]


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
def test_a_set_on_the_disk_gives_what_memory_gives(layout: str, tmp_path: Path) -> None:
    subject, data = made(tmp_path), digits()
    folder = tmp_path / "set"
    words: dict[str, Any] = {"seed": 2, "family": "cifar-c", "layout": layout, "classes": data.classes}
    write_corrupted(data.test_images, data.test_labels, folder, KINDS, (2, 4), **words)
    printed = judged(subject, Trial(folder=folder))
    memory = robustness(
        subject.model, data.test_images, data.test_labels, kinds=KINDS, severities=(2, 4), seed=2, family="cifar-c"
    )
    kept = found(subject)
    place = identity(corrupted_set(folder, data))
    assert kept == {"clean": memory.clean} | {
        f"{place}|{kind}|{severity}": memory.accuracy[kind, severity] for kind in KINDS for severity in (2, 4)
    }
    assert f"mean of 3 kinds (3 standard) {memory.mean:.2%}" in printed
    assert ("arrays" if layout == "cifar-c" else "PNG files") in printed


def test_part_of_a_set(tmp_path: Path, counted: list[str]) -> None:
    data = digits()
    write_corrupted(data.test_images, data.test_labels, tmp_path / "set", KINDS, (1, 2, 3), family="cifar-c")
    how = Corrupted(kinds=("fog", "pixelate"))
    judged(made(tmp_path), Trial(folder=tmp_path / "set", corrupted=how, severities=(2,)))
    assert sorted(counted) == ["clean", "fog|2", "pixelate|2"]
    with pytest.raises(DataError, match=r"expected contrast too, but only .* are here"):
        judged(made(tmp_path), Trial(folder=tmp_path / "set", corrupted=Corrupted(kinds=("contrast",))))
    with pytest.raises(DataError, match=r"expected severities \[5\] too, but only \[1, 2, 3\] are here"):
        judged(made(tmp_path), Trial(folder=tmp_path / "set", severities=(5,)))


ATTACK: dict[str, Any] = {"pgd3:eps=0.1": PGD(eps=0.1, steps=3), "fgsm:eps=0.2": FGSM(eps=0.2)}


@pytest.mark.parametrize("images", [None, 17])
def test_robust_accuracy_is_the_librarys(images: int | None, tmp_path: Path) -> None:
    subject, data = made(tmp_path), digits()
    printed = judged(subject, Trial(attacks=tuple(ATTACK), images=images))
    for text, attack in ATTACK.items():
        told = robust_accuracy(subject.model, data.test_images[:images], data.test_labels[:images], attack)
        kept = found(subject)[f"{attack!r} on {images or 40}"]
        for name, share in (("clean", told.clean), ("robust", told.robust)):
            assert kept[name] == [share.value, share.low, share.high]
            cell = f"{100 * share.value:.2f} [{100 * share.low:.2f}, {100 * share.high:.2f}]"
            assert any(cell in line for line in printed.splitlines() if f" {text} " in line)
        assert kept["warnings"] == list(told.warnings)
        for warning in told.warnings:
            assert f"Beware, {text}: {warning}" in " ".join(printed.split())
        bits = judging._right(kept, "robust_right")
        assert torch.equal(bits, told.robust_right)


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> Callable[[], None]:
    """Raise KeyboardInterrupt behind the number that is written then; returns how to stop that."""
    put, left = Record.put, [count]

    def stopping(record: Record, key: str, value: Any) -> None:
        put(record, key, value)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Record, "put", stopping)
    return lambda: monkeypatch.setattr(Record, "put", put)


@pytest.mark.parametrize("stop", [1, 2, 4, 7, 8, 9])
def test_stopped_after_any_number_it_goes_on_with_the_next(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(corrupted=HOW, severities=(1, 5), attacks=("fgsm", "pgd2"))
    expected = judged(made(tmp_path), trial)
    whole = (tmp_path / "net0.evaluation.json").read_bytes()
    (tmp_path / "net0.evaluation.json").unlink()
    again = stop_after(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        judged(made(tmp_path), trial)
    again()
    asked: list[int] = []
    subject = made(tmp_path)
    subject.model.register_forward_hook(lambda *_: asked.append(1))
    assert judged(subject, trial) == expected
    assert (tmp_path / "net0.evaluation.json").read_bytes() == whole
    assert bool(asked) == (stop < 9)  # 1 clean, 3 kinds at 2 severities, 2 attacks
    del asked[:]
    judged(subject, trial)
    assert not asked  # all is known


@pytest.mark.parametrize("change", ["weights", "data"])
def test_numbers_of_other_weights_or_data_are_forgotten(change: str, tmp_path: Path, counted: list[str]) -> None:
    trial = Trial(corrupted=replace(HOW, kinds=("fog",)), severities=(3,))
    judged(made(tmp_path), trial)
    del counted[:]
    other = digits(96, 39) if change == "data" else None
    digest = {"digest": "another"} if change == "weights" else {}
    judged(made(tmp_path, data=other, **digest), trial)
    assert counted == ["clean", "fog|3"]


def test_other_settings_are_other_numbers_and_the_same_ones_are_shared(tmp_path: Path, counted: list[str]) -> None:
    subject, fog = made(tmp_path), Corrupted(kinds=("fog",))
    for how in (fog, replace(fog, seed=1), replace(fog, family="tinyimagenet-c"), replace(fog, frost="procedural"),
                replace(fog, kinds=("frost", "fog"), frost="procedural")):  # fmt: skip
        judged(subject, Trial(corrupted=how, severities=(2,)))
    assert counted == ["clean", "fog|2", "fog|2", "fog|2", "frost|2"]
    judged(subject, Trial(attacks=("fgsm",)))
    judged(subject, Trial(attacks=("fgsm:eps=8/255",)))
    judged(subject, Trial(attacks=("fgsm:eps=9/255",)))
    judged(subject, Trial(attacks=("fgsm",), images=3))
    assert len(counted) == 5 + 3


def test_another_set_in_the_same_folder_is_measured_anew(tmp_path: Path, counted: list[str]) -> None:
    data, folder = digits(), tmp_path / "set"
    for seed in (0, 1):
        write_corrupted(data.test_images, data.test_labels, folder, ("fog",), (1,), seed=seed, family="cifar-c")
        judged(made(tmp_path), Trial(folder=folder))
        for path in list(folder.iterdir()):
            path.unlink()
    assert counted == ["clean", "fog|1", "fog|1"]


def test_a_foreign_set_is_known_by_its_place_and_its_files(tmp_path: Path, counted: list[str]) -> None:
    data, folder = digits(), tmp_path / "set"
    folder.mkdir()
    np.save(folder / "labels.npy", np.tile(data.test_labels.numpy(), 5))
    for level in (0, 200):
        np.save(folder / "fog.npy", np.full((5 * 40, 8, 8, 1), level, np.uint8))
        judged(made(tmp_path), Trial(folder=folder, severities=(1,)))
    judged(made(tmp_path), Trial(folder=folder, severities=(1,)))
    assert counted == ["clean", "fog|1", "fog|1"]


def test_a_set_of_other_images_is_refused(tmp_path: Path) -> None:
    data = digits()
    five = np.tile(data.test_labels.numpy(), 5)
    (tmp_path / "wide").mkdir()
    np.save(tmp_path / "wide" / "fog.npy", np.zeros((200, 9, 9, 3), np.uint8))
    np.save(tmp_path / "wide" / "labels.npy", five)
    with pytest.raises(DataError, match=r"wide: expected images of Digits, 1×8×8, got 3×9×9; the set is of other data"):
        judged(made(tmp_path), Trial(folder=tmp_path / "wide"))
    write_corrupted(data.train_images, data.train_labels, tmp_path / "train", ("fog",), (1,), family="cifar-c")
    words = r"train: expected the 40 test images of Digits, got 96 images, \d+ instead of \d+ of the class 0; the set"
    with pytest.raises(DataError, match=words):
        judged(made(tmp_path), Trial(folder=tmp_path / "train"))
    odd = data.test_labels.clone()
    odd[0] = (odd[0] + 1) % 10
    write_corrupted(data.test_images, odd, tmp_path / "odd", ("fog",), (1,), family="cifar-c")
    words = r"expected the 40 test images of Digits, got 40 images, \d+ instead of \d+ of the class \d"
    with pytest.raises(DataError, match=words):
        judged(made(tmp_path), Trial(folder=tmp_path / "odd"))
    odd[0] = 10
    write_corrupted(data.test_images, odd, tmp_path / "eleven", ("fog",), (1,), family="cifar-c")
    with pytest.raises(DataError, match=r"got 40 images in 11 classes instead of 10; the set is of another split"):
        judged(made(tmp_path), Trial(folder=tmp_path / "eleven"))


def test_a_set_whose_labels_and_images_do_not_match_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    np.save(tmp_path / "set" / "fog.npy", np.zeros((200, 8, 8, 1), np.uint8))
    np.save(tmp_path / "set" / "labels.npy", np.zeros(39, np.int64))
    with pytest.raises(DataError, match=r"200 images a kind and 39 labels do not match"):
        judged(made(tmp_path), Trial(folder=tmp_path / "set"))
    with pytest.raises(MissingError, match="nowhere: no such folder; give the folder of an extracted corrupted set"):
        judged(made(tmp_path), Trial(folder=tmp_path / "nowhere"))


def test_a_baseline_gives_gains_mce_and_paired_tests(tmp_path: Path) -> None:
    subject, other, data = made(tmp_path, 3), made(tmp_path, 0), digits()
    printed = judged(subject, Trial(corrupted=HOW, severities=(2, 4), attacks=("pgd3:eps=0.1",)), other)
    first, second = (
        robustness(each.model, data.test_images, data.test_labels, kinds=KINDS, severities=(2, 4), seed=2,
                   family="cifar-c").accuracy
        for each in (subject, other)
    )  # fmt: skip
    for kind in KINDS:
        gains = [(first[kind, s] - second[kind, s]) / second[kind, s] for s in (2, 4)]
        (line,) = [line for line in printed.splitlines() if f" {kind} " in line]
        assert line.split()[-1] == f"{100 * sum(gains) / 2:+.2f}"
    errors = [
        sum(1 - first[kind, s] for s in (2, 4)) / sum(1 - second[kind, s] for s in (2, 4)) for kind in KINDS
    ]  # fmt: skip
    assert f"mCE {sum(errors) / 3:.2%}" in printed
    right = [
        robust_accuracy(each.model, data.test_images, data.test_labels, PGD(eps=0.1, steps=3)).robust_right
        for each in (subject, other)
    ]
    told = paired(*right)
    points = [f"{100 * value:+.2f}" for value in (told.difference, told.low, told.high)]
    assert f"{points[0]} [{points[1]}, {points[2]}]" in printed
    assert f"{told.p_value:.2g}" in printed
    assert "beside net 0" in printed
    assert (tmp_path / "net0.evaluation.json").exists()


def test_a_gain_over_nothing_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, other = made(tmp_path, 3), made(tmp_path, 0)
    record = Record(other)
    record.put("clean", 0.0)
    record.put("cifar-c, seed 2|fog|2", 0.0)
    printed = judged(subject, Trial(corrupted=replace(HOW, kinds=("fog",)), severities=(2,)), other)
    (line,) = [line for line in printed.splitlines() if " fog " in line]
    assert len(line.split()) == 3


def test_a_baseline_of_other_data_is_refused(tmp_path: Path) -> None:
    words = r"tried on the same images, but .*net0.pt is of Digits and .*net3.pt of Digits, of other content; name"
    with pytest.raises(DataError, match=words):
        judged(made(tmp_path, 3), Trial(attacks=("fgsm",)), made(tmp_path, 0, digits(96, 39)))


def test_a_trial_of_nothing_and_unknown_attacks_are_refused() -> None:
    words = "expected something to try the network on: --corruptions, --corrupted-set or --attack"
    with pytest.raises(SettingError, match=words):
        Trial()
    with pytest.raises(UnknownNameError, match="unknown attack 'pdg20'; did you mean 'pgd'"):
        Trial(attacks=("fgsm", "pdg20"))
    with pytest.raises(SettingError, match="got batch_norm=train in"):
        Trial(attacks=("pgd20:batch_norm=train",))


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"weights": "digest 0"}', b'"a"'])
def test_a_record_of_something_else_is_begun_anew(content: bytes, tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / "net0.evaluation.json").write_bytes(content)
    judged(made(tmp_path), Trial(attacks=("fgsm",)))
    assert len(counted) == 1
    assert json.loads((tmp_path / "net0.evaluation.json").read_text())["weights"] == "digest 0"


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "net0.evaluation.json").write_bytes(b"{half")
    with pytest.raises(DataError, match=r"expected JSON in .*net0.evaluation.json, got something else"):
        judged(made(tmp_path), Trial(attacks=("fgsm",)))
