"""``gossamer corrupt``: a set that is read again, picture by picture what memory gives, and gone on with."""

import json
import os
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from rich.console import Console
from typer.testing import CliRunner

from gossamer.bench.corrupting import folder_names, forget_lock, naming, write
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.cli import app
from gossamer.core.errors import SettingError, StateError, UnknownNameError
from gossamer.corrupt import corrupt, read_corrupted
from tests.workbench import digits

HOW = Corrupted(kinds=("gaussian_noise", "pixelate"), seed=3)


def written(out: Path, data: Dataset | None = None, how: Corrupted = HOW, **changes: Any) -> str:
    """What is printed."""
    console = Console(record=True, width=200, file=StringIO())
    given: dict[str, Any] = {"severities": (1, 4), "split": "test", "layout": "cifar-c", **changes}
    write(console, data or digits(), out, how, **given)
    return console.export_text()


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
@pytest.mark.parametrize("split", ["test", "train"])
def test_the_set_holds_what_memory_gives(layout: str, split: str, tmp_path: Path) -> None:
    printed, data = written(tmp_path / "set", layout=layout, split=split), digits()
    images, labels = (data.test_images, data.test_labels) if split == "test" else (data.train_images, data.train_labels)
    found = read_corrupted(tmp_path / "set")
    assert (found.layout, found.kinds, found.severities) == (layout, HOW.kinds, (1, 4))
    order = torch.argsort(labels, stable=True) if layout == "folders" else torch.arange(len(labels))
    for kind in HOW.kinds:
        for severity in (1, 4):
            pictures, theirs = found.images(kind, severity)
            assert torch.equal(pictures, corrupt(images, kind, severity, seed=3, family="cifar-c")[order])
            assert torch.equal(theirs, labels[order])
    assert printed.strip() == (
        f"{len(labels)} images of Digits ({split}), 2 kinds × 2 severities, constants of cifar-c\n{tmp_path}/set"
    )


def test_again_nothing_is_written(tmp_path: Path) -> None:
    first = written(tmp_path / "set")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").glob("*.npy") if path.stem != "labels"}
    assert written(tmp_path / "set") == first
    assert len(times) == 2
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize(
    "how", [replace(HOW, seed=4), replace(HOW, family="tinyimagenet-c"), replace(HOW, kinds=("fog",))]
)
def test_another_set_is_not_mixed_with_it(how: Corrupted, tmp_path: Path) -> None:
    written(tmp_path / "set")
    before = {path: path.read_bytes() for path in (tmp_path / "set").glob("[!.]*")}
    with pytest.raises(StateError, match=r"holds a set that was made in another way .* choose another folder"):
        written(tmp_path / "set", how=how)
    assert {path: path.read_bytes() for path in (tmp_path / "set").glob("[!.]*")} == before


def test_frost_is_told_where_there_is_some(tmp_path: Path) -> None:
    how = Corrupted(kinds=("frost",), frost="procedural")
    assert "constants of cifar-c; frost: procedural" in written(tmp_path / "set", how=how, severities=(2,))
    assert json.loads((tmp_path / "set" / "set.json").read_text())["frost"] == "procedural"


@pytest.mark.parametrize("classes", [tuple("jihgfedcba"), ("T-shirt/top", *"bcdefghij")])
def test_classes_whose_names_fit_no_folder_are_numbered(classes: tuple[str, ...], tmp_path: Path) -> None:
    data = replace(digits(), classes=classes)
    written(tmp_path / "set", data, layout="folders", severities=(1,))
    assert sorted(path.name for path in (tmp_path / "set" / "pixelate" / "1").iterdir()) == list("0123456789")
    assert read_corrupted(tmp_path / "set").images("pixelate", 1)[1].tolist() == sorted(data.test_labels.tolist())


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
def test_a_finished_set_has_no_lock_in_it(layout: str, tmp_path: Path) -> None:
    for _ in range(2):  # written, and found finished
        written(tmp_path / "set", layout=layout)
        assert not list((tmp_path / "set").rglob(".*"))


def test_a_lock_that_another_process_holds_is_left(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"):
        forget_lock(tmp_path)
        assert (tmp_path / ".lock").exists()
    forget_lock(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_with_the_file_that_was_written(tmp_path: Path) -> None:
    for place, name in enumerate(("labels.npy", "fog.npy.part")):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (place, place))
    (tmp_path / ".lock").write_bytes(b"")
    with pytest.raises(OSError, match="No space left on device") as told, naming(tmp_path):
        raise OSError(28, "No space left on device")
    assert (told.value.errno, told.value.filename) == (28, str(tmp_path / "fog.npy.part"))
    with pytest.raises(OSError, match="denied") as told, naming(tmp_path):
        raise OSError(13, "denied", "another")
    assert told.value.filename == "another"
    with pytest.raises(OSError, match="full") as told, naming(tmp_path / "nowhere"):
        raise OSError(28, "full")
    assert told.value.filename == str(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\\b"])
def test_folders_have_no_odd_names(name: str) -> None:
    assert folder_names((name, "zebra")) is None
    assert folder_names(("zebra", "zebra")) is None
    assert folder_names(("ant", "zebra")) == ("ant", "zebra")


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown split 'tests'; did you mean 'test'\? known: test, train"):
        written(tmp_path / "set", split="tests")
    with pytest.raises(UnknownNameError, match=r"unknown layout of corrupted sets 'cifar'; did you mean 'cifar-c'"):
        written(tmp_path / "set", layout="cifar")
    words = r"work on grey images, got spatter, saturate, which change colours; name the others with --kinds"
    with pytest.raises(SettingError, match=words):
        written(tmp_path / "set", how=Corrupted(kinds=("fog", "spatter", "saturate")))
    with pytest.raises(SettingError, match=r"severities of 1 to 5 \(6 is extrapolated\), rising, got \(5, 1\)"):
        written(tmp_path / "set", severities=(5, 1))
    assert not (tmp_path / "set").exists()


def test_the_command_writes_the_whole_test_set(tmp_path: Path) -> None:
    words = ["corrupt", "--kinds", "p1", "--severities", "2,6", "--seed", "1", "--to", str(tmp_path / "set")]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "359 images of Digits (test), 3 kinds × 2 severities" in shown.output
    made = json.loads((tmp_path / "set" / "set.json").read_text())
    assert (made["kinds"], made["severities"], made["seed"], made["images"]) == (
        ["gaussian_noise", "impulse_noise", "defocus_blur"], [2, 6], 1, 359
    )  # fmt: skip
    assert np.load(tmp_path / "set" / "impulse_noise.npy").shape == (2 * 359, 8, 8, 1)
