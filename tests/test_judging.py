"""``gossamer evaluate``: every number is the library's, kept when found, and never another network's."""

import csv
import json
import re
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
from gossamer.bench import findings
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.judging import judge
from gossamer.bench.models import build
from gossamer.bench.on_disk import corrupted_set, identity
from gossamer.bench.subject import Subject
from gossamer.bench.trial import Record, Trial
from gossamer.core.errors import DataError, MissingError, SettingError, UnknownNameError
from gossamer.corrupt import corrupt, robustness, write_corrupted
from gossamer.corrupt.provenance import fingerprint
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
    (row,) = [row for row in table(tmp_path, "net0-corruptions-*.csv") if row["kind"] == "clean"]
    low, high = (100 * float(row[name]) for name in ("low", "high"))
    assert f"over 40 images, corrupted in memory, constants of cifar-c, seed 2; clean {kept['clean']:.2%}" in printed
    assert f"clean {kept['clean']:.2%} [{low:.2f}, {high:.2f}]" in printed
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "net0.evaluation.json" or names[-1] == "net0.evaluation.json"
    stems = {name.split(".")[0] for name in names} - {"net0"}
    assert len(stems) == 1
    assert re.fullmatch("net0-corruptions-[0-9a-f]{8}", *stems)
    assert len(names) == 4  # the record, and a figure twice and a table
    assert all(str(path) in printed for path in tmp_path.iterdir())


def table(folder: Path, pattern: str) -> list[dict[str, str]]:
    (file,) = folder.glob(pattern)
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_number_is_in_a_table_with_its_interval(tmp_path: Path) -> None:
    subject, other, data = made(tmp_path, 3), made(tmp_path, 0), digits()
    judged(subject, Trial(corrupted=HOW, severities=(1, 5), attacks=("fgsm", "pgd2")), other)
    settings: dict[str, Any] = {"kinds": KINDS, "severities": (1, 5), "seed": 2, "family": "cifar-c"}
    base = robustness(other.model, data.test_images, data.test_labels, **settings)
    told = robustness(subject.model, data.test_images, data.test_labels, baseline=base, **settings)
    found = table(tmp_path, "net3-corruptions-*.csv")
    assert list(found[0]) == ["kind", "group", "severity", "accuracy", "low", "high", "gain"]
    assert [[row["kind"], int(row["severity"])] for row in found] == [
        [row["kind"], row["severity"]] for row in told.rows()
    ]
    for row, expected in zip(found, told.rows(), strict=True):
        for name in ("accuracy", "low", "high", "gain"):
            assert row[name] == ("" if expected[name] is None else str(expected[name]))
    attacks = table(tmp_path, "net3-attacks-*.csv")
    assert [row["attack"] for row in attacks] == ["fgsm", "pgd2"]
    for row, attack in zip(attacks, (FGSM(), PGD(steps=2)), strict=True):
        both = [robust_accuracy(each.model, data.test_images, data.test_labels, attack) for each in (subject, other)]
        share, pair = both[0].robust, paired(both[0].robust_right, both[1].robust_right)
        assert [row["robust"], row["robust_low"], row["robust_high"]] == [
            str(number) for number in (share.value, share.low, share.high)
        ]  # fmt: skip
        assert (row["images"], row["seed"]) == ("40", "0")
        assert [row["difference"], row["mcnemar_p"]] == [str(pair.difference), str(pair.p_value)]


def test_another_trial_overwrites_no_file_and_the_same_one_writes_the_same(tmp_path: Path) -> None:
    subject, fog = made(tmp_path), Corrupted(kinds=("fog",))
    trials = [
        Trial(corrupted=fog, severities=(1,)), Trial(corrupted=fog, severities=(2,)),
        Trial(corrupted=replace(fog, seed=1), severities=(1,)), Trial(corrupted=HOW, severities=(1,)),
        Trial(attacks=("fgsm",)), Trial(attacks=("fgsm",), images=5), Trial(attacks=("pgd2",), seed=1),
        Trial(attacks=("pgd2",)),
    ]  # fmt: skip
    for trial in trials:
        judged(subject, trial)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 1 + 4 * 3 + 4
    judged(subject, trials[0], made(tmp_path, 1))
    assert len(list(tmp_path.glob("net0-corruptions-*.csv"))) == 5
    for trial in trials:
        judged(subject, trial)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in before} == before


def test_the_figure_has_means_a_scale_for_all_networks_and_its_provenance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(findings, "grid", lambda *given, **named: drawn.append((given, named)) or [])
    subject, data = made(tmp_path), digits()
    judged(subject, Trial(corrupted=HOW, severities=(1, 5)))
    (((values, kinds, columns, title, _), named),) = drawn
    told = robustness(
        subject.model, data.test_images, data.test_labels, kinds=KINDS, severities=(1, 5), seed=2, family="cifar-c"
    )
    assert (kinds, columns) == (KINDS, ["1", "5", "mean"])
    assert named == {"axis": "severity", "low": 0.0, "high": 100.0}
    for kind, line in zip(KINDS, values, strict=True):
        assert line == [100 * told.accuracy[kind, 1], 100 * told.accuracy[kind, 5], 100 * told.by_kind[kind]]
    for word in ("Digits, net 0", "40 images", "constants of cifar-c", "seed 2", f"clean {told.clean:.2%}",
                 f"mean of 3 kinds (3 standard) {told.mean:.2%}"):  # fmt: skip
        assert word in title


def test_the_seed_reaches_the_attack(tmp_path: Path) -> None:
    subject, data = made(tmp_path), digits()
    for seed in (0, 7):
        judged(subject, Trial(attacks=("pgd3:eps=0.1",), seed=seed))
        told = robust_accuracy(subject.model, data.test_images, data.test_labels, PGD(eps=0.1, steps=3), seed=seed)
        kept = found(subject)[f"{PGD(eps=0.1, steps=3)!r} on 40, seed {seed}"]
        assert torch.equal(findings.right(kept, "robust_right"), told.robust_right)


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
        kept = found(subject)[f"{attack!r} on {images or 40}, seed 0"]
        for name, share in (("clean", told.clean), ("robust", told.robust)):
            assert kept[name] == [share.value, share.low, share.high]
            cell = f"{100 * share.value:.2f} [{100 * share.low:.2f}, {100 * share.high:.2f}]"
            assert any(cell in line for line in printed.splitlines() if f" {text} " in line)
        assert kept["warnings"] == list(told.warnings)
        for warning in told.warnings:
            assert f"Beware, {text}: {warning}" in " ".join(printed.split())
        bits = findings.right(kept, "robust_right")
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


@pytest.mark.parametrize("source", ["own", "foreign"])
def test_permuted_labels_are_refused_though_every_class_has_as_many(source: str, tmp_path: Path) -> None:
    data, folder = digits(), tmp_path / "set"
    write_corrupted(data.test_images, data.test_labels, folder, ("fog",), (1, 2), family="cifar-c")
    judged(made(tmp_path), Trial(folder=folder))
    wrong = data.test_labels.flip(0)
    count = int((wrong != data.test_labels).sum())
    assert count > 20
    np.save(folder / "labels.npy", np.tile(wrong.numpy(), 2))
    if source == "foreign":
        (folder / "set.json").unlink()
        np.save(folder / "labels.npy", np.tile(wrong.numpy(), 1))
    words = (
        rf"labels.npy: expected the labels of the test images of Digits, in their order, but {count} of 40 differ; t"
    )
    with pytest.raises(DataError, match=words):
        judged(made(tmp_path), Trial(folder=folder))


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
def test_a_set_of_other_images_with_the_same_labels_is_refused(layout: str, tmp_path: Path) -> None:
    data, folder = digits(), tmp_path / "set"
    other = data.test_images.flip(-1)
    words: dict[str, Any] = {"family": "cifar-c", "layout": layout, "classes": data.classes}
    write_corrupted(other, data.test_labels, folder, ("fog",), (1,), **words)
    with pytest.raises(DataError, match=r"but its set.json says that it was made of other images or labels; write it"):
        judged(made(tmp_path), Trial(folder=folder))


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_the_fingerprint_is_the_sets_own(kind: torch.dtype, tmp_path: Path) -> None:
    data = digits()
    made_of = data.test_images if kind == torch.uint8 else data.test_images.float() / 255
    write_corrupted(made_of, data.test_labels, tmp_path / "set", ("fog",), (1,), family="cifar-c")
    said = json.loads((tmp_path / "set" / "set.json").read_text())["sha256"]
    assert fingerprint(made_of, data.test_labels) == fingerprint(data.test_images, data.test_labels) == said


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
def test_a_file_that_is_replaced_in_a_set_makes_its_numbers_stale(
    layout: str, tmp_path: Path, counted: list[str]
) -> None:
    data, folder = digits(), tmp_path / "set"
    words: dict[str, Any] = {"family": "cifar-c", "layout": layout, "classes": data.classes}
    write_corrupted(data.test_images, data.test_labels, folder, ("fog",), (1,), **words)
    (folder / ".hidden").write_bytes(b"")
    judged(made(tmp_path), Trial(folder=folder))
    judged(made(tmp_path), Trial(folder=folder))
    (folder / ".hidden").unlink()
    write_corrupted(data.test_images, data.test_labels, folder, ("fog",), (1,), **words)  # touches nothing but labels
    judged(made(tmp_path), Trial(folder=folder))
    assert counted == ["clean", "fog|1"]
    file = next(path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".npy"))
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    judged(made(tmp_path), Trial(folder=folder))
    assert counted == ["clean", "fog|1", "fog|1"]


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
