"""Corrupted sets on disk: the official layouts read, our own written, killed and gone on with."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from gossamer.core.errors import DataError, MissingError, SettingError, StateError, UnknownNameError
from gossamer.corrupt import corrupt
from gossamer.corrupt.frost import PHOTOGRAPHS
from gossamer.corrupt.layouts import read_corrupted
from gossamer.corrupt.recipe import Recipe
from gossamer.corrupt.written import write_corrupted

KINDS = ("gaussian_noise", "sparkles")


def clean(count: int = 12, channels: int = 3, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, channels, size, size), generator=generator, dtype=torch.uint8)
    return images, torch.arange(count) % 3


def sums(folder: Path) -> dict[str, str]:
    """Of every file but the lock, which holds nothing."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != ".lock")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def official_arrays(folder: Path, count: int = 10, repeated: bool = True) -> np.ndarray:
    """As CIFAR-10-C: severity-major, with the severity in every pixel's tens and the image in its ones."""
    block = np.stack([np.full((4, 4, 3), 10 * severity + image) for severity in range(1, 6) for image in range(count)])
    folder.mkdir(exist_ok=True)
    for number, kind in enumerate(("fog", "gaussian_noise")):
        np.save(folder / f"{kind}.npy", (block + 100 * number).astype(np.uint8))
    labels = np.arange(count) % 7
    np.save(folder / "labels.npy", np.tile(labels, 5) if repeated else labels)
    return labels


def official_folders(root: Path, kinds: tuple[str, ...], severities=("1", "2", "3", "4", "5"), classes=3) -> None:
    """As ImageNet-C: grey level is 10 times the severity's place, plus the class."""
    for kind in kinds:
        for place, severity in enumerate(severities):
            for label in range(classes):
                folder = root / kind / severity / f"n0144{label}"
                folder.mkdir(parents=True)
                for number in range(2):
                    picture = Image.new("RGB", (6, 6), (10 * place + label,) * 3)
                    picture.save(folder / f"ILSVRC2012_val_{number:08}.JPEG", quality=95)


@pytest.mark.parametrize("repeated", [True, False])
def test_reads_cifar_10_c_severity_by_severity(tmp_path, repeated):
    labels = official_arrays(tmp_path, repeated=repeated)
    found = read_corrupted(tmp_path)
    assert (found.layout, found.kinds, found.severities) == ("cifar-c", ("gaussian_noise", "fog"), (1, 2, 3, 4, 5))
    assert (found.count, found.source, found.provenance) == (10, "arrays", None)
    images, read = found.images("gaussian_noise", 3)
    assert images.shape == (10, 3, 4, 4)
    assert images.dtype == torch.uint8
    assert images[:, 0, 0, 0].tolist() == list(range(130, 140))
    assert read.tolist() == labels.tolist()
    assert [len(part) for part, _ in found.batches("fog", 5, size=4)] == [4, 4, 2]
    assert torch.equal(torch.cat([part for part, _ in found.batches("fog", 5, size=3)]), found.images("fog", 5)[0])


@pytest.mark.parametrize("above", ["", "weather", "ImageNet-C/weather"])
def test_reads_imagenet_c_with_and_without_its_groups(tmp_path, above):
    official_folders(tmp_path / above, ("snow", "fog"))
    (tmp_path / above / "readme.txt").write_text("x")
    found = read_corrupted(tmp_path)
    assert (found.layout, set(found.kinds), found.severities, found.count) == (
        "folders",
        {"fog", "snow"},
        (1, 2, 3, 4, 5),
        6,
    )
    images, labels = found.images("snow", 4)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.shape == (6, 3, 6, 6)
    assert (images[:, 0, 0, 0].int() - torch.tensor([30, 30, 31, 31, 32, 32])).abs().max() <= 1


def test_reads_the_levels_by_which_imagenet_c_bar_names_its_folders(tmp_path):
    official_folders(tmp_path, ("sparkles",), ("1.00", "2.00", "3.00", "5.00", "6.00"))
    official_folders(tmp_path, ("plasma_noise",), ("10.00", "4.75", "7.00", "8.50", "9.25"))
    found = read_corrupted(tmp_path)
    assert found.severities == (1, 2, 3, 4, 5)
    assert found.images("sparkles", 4)[0][0, 0, 0, 0] == 30
    assert abs(int(found.images("plasma_noise", 5)[0][0, 0, 0, 0]) - 0) <= 1  # written first: place 0
    assert abs(int(found.images("plasma_noise", 1)[0][0, 0, 0, 0]) - 10) <= 1


def test_part_of_imagenet_c_bars_levels_keep_their_severities(tmp_path):
    official_folders(tmp_path, ("sparkles",), ("1.00", "5.00"))
    assert read_corrupted(tmp_path).severities == (1, 4)


def test_reads_imagenet_3dcc_whose_kinds_are_not_ours(tmp_path):
    official_folders(tmp_path, ("near_focus", "xy_motion_blur", "fog_3d"))
    assert read_corrupted(tmp_path).kinds == ("fog_3d", "near_focus", "xy_motion_blur")


def test_classes_may_be_named_in_the_order_of_the_labels(tmp_path):
    official_folders(tmp_path, ("fog",))
    _, labels = read_corrupted(tmp_path, classes=("n01442", "n01440", "n01441")).images("fog", 1)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(DataError, match=r"expected 2 class folders.* but n01440 is in only one of the two"):
        read_corrupted(tmp_path, classes=("n01442", "n01441"))


def test_no_such_folder(tmp_path):
    with pytest.raises(MissingError, match=r"no such folder; give the folder of an extracted corrupted set"):
        read_corrupted(tmp_path / "none")


def test_nothing_recognised(tmp_path):
    with pytest.raises(DataError, match=r"expected a corrupted set.*found nothing; give the folder of the set"):
        read_corrupted(tmp_path)
    (tmp_path / "blur.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"found blur\.tar; extract the archives first"):
        read_corrupted(tmp_path)


def test_missing_kinds_and_severities(tmp_path):
    official_arrays(tmp_path)
    with pytest.raises(DataError, match=r"expected snow, frost too, but only fog, gaussian_noise are here; extract"):
        read_corrupted(tmp_path, kinds=["fog", "snow", "frost"])
    with pytest.raises(DataError, match=r"expected severities \[6\] too, but only \[1, 2, 3, 4, 5\] are here"):
        read_corrupted(tmp_path, severities=[1, 6])
    found = read_corrupted(tmp_path, kinds=["fog"], severities=[2])
    assert (found.kinds, found.severities) == (("fog",), (2,))
    with pytest.raises(UnknownNameError, match=r"unknown corruption in .* 'snow'"):
        found.images("snow", 1)
    with pytest.raises(DataError, match=r"expected a severity out of \(2,\), got 1"):
        found.images("fog", 1)


def test_arrays_that_do_not_match(tmp_path):
    official_arrays(tmp_path)
    np.save(tmp_path / "fog.npy", np.zeros((45, 4, 4, 3), np.uint8))
    with pytest.raises(DataError, match=r"fog\.npy is \(45, 4, 4, 3\), but .*\.npy is \(50, 4, 4, 3\)|one shape"):
        read_corrupted(tmp_path)
    (tmp_path / "gaussian_noise.npy").unlink()
    with pytest.raises(DataError, match=r"45 images a kind and 50 labels do not match; expected 5 severities"):
        read_corrupted(tmp_path)
    np.save(tmp_path / "fog.npy", np.zeros((50, 4, 4, 3), np.float32))
    with pytest.raises(DataError, match=r"expected uint8 \(images, height, width, 1 or 3\), got float32"):
        read_corrupted(tmp_path)


def test_labels_that_do_not_match(tmp_path):
    official_arrays(tmp_path)
    labels = np.tile(np.arange(10), 5)
    labels[17] = 3
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(DataError, match=r"expected the labels of 10 images 5 times over, but the severities differ"):
        read_corrupted(tmp_path)
    np.save(tmp_path / "labels.npy", np.linspace(0, 1, 50))
    with pytest.raises(DataError, match=r"expected whole numbers of 0 or more, one an image, got float64"):
        read_corrupted(tmp_path)
    (tmp_path / "labels.npy").unlink()
    with pytest.raises(DataError, match=r"expected labels\.npy beside the images"):
        read_corrupted(tmp_path)


def test_a_truncated_or_pickled_array_is_refused(tmp_path):
    official_arrays(tmp_path)
    whole = (tmp_path / "fog.npy").read_bytes()
    (tmp_path / "fog.npy").write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"fog\.npy: cannot be read as an array of numbers .*get the file again"):
        read_corrupted(tmp_path)
    np.save(tmp_path / "fog.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"fog\.npy: cannot be read as an array of numbers"):
        read_corrupted(tmp_path)


def test_folders_that_do_not_match(tmp_path):
    official_folders(tmp_path, ("fog", "snow"))
    shutil.rmtree(tmp_path / "snow" / "3" / "n01441")
    with pytest.raises(DataError, match=r"snow/3: expected 3 class folders.* but n01441 is in only one of the two"):
        read_corrupted(tmp_path)
    shutil.rmtree(tmp_path / "snow" / "3")
    with pytest.raises(DataError, match=r"snow lacks severities \[3\], which other kinds have; extract or write them"):
        read_corrupted(tmp_path)
    assert read_corrupted(tmp_path, kinds=["fog"]).count == 6


def test_a_severity_with_fewer_images(tmp_path):
    official_folders(tmp_path, ("fog",))
    next((tmp_path / "fog" / "3" / "n01441").iterdir()).unlink()
    found = read_corrupted(tmp_path)
    with pytest.raises(DataError, match=r"n01441: 1 images, but 2 in the set's first severity; expected the same"):
        found.images("fog", 3)


def test_a_kind_that_is_there_twice(tmp_path):
    official_folders(tmp_path / "weather", ("fog",))
    official_folders(tmp_path / "other", ("fog",))
    with pytest.raises(DataError, match=r"fog is there twice, .*; remove one of them"):
        read_corrupted(tmp_path)


def test_severities_that_nobody_publishes(tmp_path):
    official_folders(tmp_path, ("fog",), ("0", "9"))
    with pytest.raises(DataError, match=r"expected folders 1 to 5, or the published levels.*found 0, 9; rename them"):
        read_corrupted(tmp_path)
    shutil.rmtree(tmp_path / "fog")
    official_folders(tmp_path, ("sparkles",), ("1.50", "2.00"))
    with pytest.raises(DataError, match=r"published levels of ImageNet-C-bar, found 1\.50, 2\.00"):
        read_corrupted(tmp_path)


def test_folders_without_images(tmp_path):
    (tmp_path / "fog" / "1" / "n0").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected images \(\.JPEG, \.jpg or \.png\) in .*found none"):
        read_corrupted(tmp_path)


def test_images_of_different_sizes_and_damaged_ones(tmp_path):
    official_folders(tmp_path, ("fog",))
    file = next((tmp_path / "fog" / "2" / "n01440").iterdir())
    Image.new("RGB", (7, 6)).save(file)
    found = read_corrupted(tmp_path)
    with pytest.raises(DataError, match=r"expected \(channels, height, width\) \(3, 6, 6\).*got \(3, 6, 7\); resize"):
        found.images("fog", 2)
    file.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"cannot be read as an image .*; extract or write the set again"):
        found.images("fog", 2)


def test_a_grey_file_among_coloured_ones_gets_three_channels(tmp_path):
    official_folders(tmp_path, ("fog",))
    file = next((tmp_path / "fog" / "1" / "n01442").iterdir())
    Image.new("L", (6, 6), 77).save(file, quality=95)
    assert (read_corrupted(tmp_path).images("fog", 1)[0] == 77).all((1, 2, 3)).sum() == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_written_hold_what_corrupt_makes(tmp_path, channels):
    images, labels = clean(channels=channels)
    said = []
    found = write_corrupted(
        images, labels, tmp_path / "set", KINDS, (2, 5), seed=3, after=lambda *part: said.append(part)
    )
    assert said == [(kind, severity) for kind in KINDS for severity in (2, 5)]
    for kind, severity in said:
        pictures, read = found.images(kind, severity)
        assert torch.equal(pictures, corrupt(images, kind, severity, seed=3))
        assert torch.equal(read, labels)
    assert np.load(tmp_path / "set" / "sparkles.npy").shape == (24, 32, 32, channels)
    assert np.load(tmp_path / "set" / "labels.npy").tolist() == labels.tolist() * 2
    assert (found.severities, found.count, found.source) == ((2, 5), 12, "arrays")


def test_an_official_set_and_a_written_one_have_the_same_form(tmp_path):
    images, labels = clean(10)
    write_corrupted(images, labels, tmp_path, KINDS)
    (tmp_path / "set.json").unlink()
    found = read_corrupted(tmp_path)
    assert (found.kinds, found.severities, found.provenance) == (KINDS, (1, 2, 3, 4, 5), None)
    assert torch.equal(found.images("sparkles", 4)[0], corrupt(images, "sparkles", 4))


def test_provenance_says_how_the_set_was_made(tmp_path):
    images, labels = clean()
    made = write_corrupted(images, labels, tmp_path, KINDS, (1,), seed=4).provenance
    assert made is not None
    assert (made["seed"], made["family"], made["images"], made["kinds"]) == (4, "cifar-c", 12, list(KINDS))
    text = b"12 (3, 32, 32)" + images.numpy().tobytes() + labels.numpy().tobytes()
    assert made["sha256"] == hashlib.sha256(text).hexdigest()


def test_the_pictures_of_ice_are_told_by_their_content(tmp_path):
    images, labels = clean()
    made = write_corrupted(images, labels, tmp_path / "set", ["frost"], (1,), frost="procedural")
    assert made.provenance["frost"] == "procedural"
    for name in PHOTOGRAPHS:
        Image.effect_noise((70, 70), 60).convert("RGB").save(tmp_path / name)
    with pytest.raises(StateError, match=r"frost procedural there, photographs \(sha256 \w{16}\) asked"):
        write_corrupted(images, labels, tmp_path / "set", ["frost"], (1,), frost=tmp_path)
    with pytest.raises(MissingError, match=r"expected the photographs of frost"):
        write_corrupted(images, labels, tmp_path / "new", ["frost"], (1,), frost=tmp_path / "set")
    assert not (tmp_path / "new").exists()
    assert Recipe(frost=tmp_path).ice(["fog"]) is None


def test_png_folders_lose_nothing_and_keep_empty_classes(tmp_path):
    images, labels = clean()
    labels = labels * 2  # 0, 2, 4: classes 1 and 3 have no image
    found = write_corrupted(images, labels, tmp_path, KINDS, (1, 3), layout="folders")
    pictures, read = found.images("gaussian_noise", 3)
    order = labels.argsort(stable=True)
    assert torch.equal(read, labels[order])
    assert torch.equal(pictures, corrupt(images, "gaussian_noise", 3)[order])
    assert found.source == "PNG files"
    assert sorted(folder.name for folder in (tmp_path / "sparkles" / "1").iterdir()) == ["0", "1", "2", "3", "4"]


def test_jpeg_folders_are_pillows_at_the_official_quality(tmp_path):
    images, labels = clean(3, 1)
    found = write_corrupted(
        images, labels, tmp_path / "set", KINDS, (1,), layout="folders", quality=85, classes=["ant", "bee", "cat"]
    )
    assert found.source == "JPEG files of quality 85"
    picture = corrupt(images, "sparkles", 1)[1, 0].numpy()
    Image.fromarray(picture).save(tmp_path / "one.jpg", quality=85, optimize=True)
    assert (tmp_path / "set/sparkles/1/bee/00000001.JPEG").read_bytes() == (tmp_path / "one.jpg").read_bytes()
    assert found.images("sparkles", 1)[0].shape == (3, 1, 32, 32)


class ReadWhenAsked:
    """Images that are never in memory together."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.largest = images, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, where: slice) -> torch.Tensor:
        part = self.images[where]
        self.largest = max(self.largest, len(part))
        return part


def test_images_are_asked_for_in_chunks(tmp_path, monkeypatch):
    images, labels = clean(11)
    monkeypatch.setattr("gossamer.corrupt.recipe.CHUNK", 4 * 3072)
    lazy = ReadWhenAsked(images)
    write_corrupted(lazy, labels, tmp_path / "lazy", KINDS, (1, 2))
    monkeypatch.undo()
    write_corrupted(images.float() / 255, labels, tmp_path / "whole", KINDS, (1, 2))
    assert lazy.largest == 4
    assert sums(tmp_path / "lazy") == sums(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, r"seed 0 there, 1 asked"),
        ({"kinds": ("sparkles",)}, r"kinds \['gaussian_noise', 'sparkles'\] there, \['sparkles'\] asked"),
        ({"severities": (1, 2)}, r"severities \[1\] there, \[1, 2\] asked"),
        ({"kinds": ("gaussian_noise", "frost"), "frost": "procedural"}, r"frost None there, procedural asked"),
        ({"family": "imagenet-c"}, r"family cifar-c there, imagenet-c asked"),
        ({"layout": "folders"}, r"layout cifar-c there, folders asked"),
        ({"images": clean()[0].flip(0)}, r"sha256 \w+\.\.\. there, \w+\.\.\. asked"),
        ({"labels": clean()[1].flip(0)}, r"sha256 \w+\.\.\. there"),
    ],
)
def test_a_set_that_was_made_in_another_way_is_refused(tmp_path, change, words):
    images, labels = clean()
    asked = {"images": images, "labels": labels, "folder": tmp_path, "kinds": KINDS, "severities": (1,)}
    write_corrupted(**asked)
    before = sums(tmp_path)
    with pytest.raises(StateError, match=rf"made in another way \(.*{words}.*\); ask for the same to go on"):
        write_corrupted(**{**asked, **change})
    assert sums(tmp_path) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    official_arrays(tmp_path)
    before = sums(tmp_path)
    with pytest.raises(StateError, match=r"expected an empty folder, or one that an interrupted.*fog\.npy.*choose"):
        write_corrupted(*clean(), tmp_path, KINDS, (1,))
    assert sums(tmp_path) == before


def test_two_cannot_write_the_same_set(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(StateError, match=r"another process is writing this set; wait"):
        write_corrupted(*clean(), tmp_path, KINDS, (1,))
    write_corrupted(*clean(), tmp_path, KINDS, (1,))


def test_settings_that_are_refused_before_anything_is_written(tmp_path):
    images, labels = clean()
    folder = tmp_path / "set"
    with pytest.raises(UnknownNameError, match=r"unknown corruption 'gausian_noise'; did you mean 'gaussian_noise'"):
        write_corrupted(images, labels, folder, ["gausian_noise"])
    with pytest.raises(SettingError, match=r"expected at least one kind of corruption and none twice, got none"):
        write_corrupted(images, labels, folder, [])
    with pytest.raises(SettingError, match=r"severities of 1 to 5 \(6 is extrapolated\), rising, got \(0, 1\)"):
        write_corrupted(images, labels, folder, KINDS, (0, 1))
    with pytest.raises(SettingError, match=r"expected a severity of 1 to 5"):
        write_corrupted(images, labels, folder, KINDS, (1, 7))
    with pytest.raises(SettingError, match=r"expected the layout 'cifar-c' or 'folders', got 'npy'"):
        write_corrupted(images, labels, folder, KINDS, layout="npy")
    with pytest.raises(
        SettingError, match=r"expected a JPEG quality of 1 to 95 with layout 'folders', or None, got 85"
    ):
        write_corrupted(images, labels, folder, KINDS, quality=85)
    with pytest.raises(SettingError, match=r"expected names of at least 3 classes, different.*got 2: a, b"):
        write_corrupted(images, labels, folder, KINDS, layout="folders", classes=["a", "b"])
    with pytest.raises(SettingError, match=r"in the order of the alphabet"):
        write_corrupted(images, labels, folder, KINDS, layout="folders", classes=["b", "a", "c"])
    with pytest.raises(SettingError, match=r"expected class names that can name folders, got '\.\./x'"):
        write_corrupted(images, labels, folder, KINDS, layout="folders", classes=["../x", "y", "z"])
    with pytest.raises(SettingError, match=r"expected a whole number of 0 or more as seed, got None"):
        write_corrupted(images, labels, folder, KINDS, seed=None)
    with pytest.raises(
        DataError, match=r"expected as many labels as images, and some, got 12 images and labels \(11,\)"
    ):
        write_corrupted(images, labels[:11], folder, KINDS)
    with pytest.raises(DataError, match=r"expected whole numbers as labels, got torch\.float32"):
        write_corrupted(images, labels.float(), folder, KINDS)
    with pytest.raises(DataError, match=r"expected labels of 0 or more, got -1"):
        write_corrupted(images, labels - 1, folder, KINDS)
    with pytest.raises(DataError, match=r"plasma_noise: expected images with 3 channels, got 1"):
        write_corrupted(images[:, :1], labels, folder, ["gaussian_noise", "plasma_noise"])
    assert not folder.exists()


def test_a_damaged_or_unfinished_set_is_told(tmp_path):
    images, labels = clean()
    write_corrupted(images, labels, tmp_path, KINDS, (1, 2))
    (tmp_path / "sparkles.npy").unlink()
    with pytest.raises(DataError, match=r"this set is unfinished, sparkles missing; call write_corrupted again"):
        read_corrupted(tmp_path)
    (tmp_path / "set.json").write_text("{")
    with pytest.raises(DataError, match=r"set\.json: expected JSON, got something else"):
        read_corrupted(tmp_path)
    (tmp_path / "set.json").write_text("{}")
    with pytest.raises(DataError, match=r"set\.json: expected kinds, severities, classes and quality"):
        read_corrupted(tmp_path)


class Stopped(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
@pytest.mark.parametrize("chunks", range(0, 12))
def test_stopped_anywhere_it_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch, layout, chunks):
    images, labels = clean()
    asked = {"kinds": KINDS, "severities": (1, 4), "layout": layout}
    write_corrupted(images, labels, tmp_path / "whole", **asked)
    monkeypatch.setattr("gossamer.corrupt.recipe.CHUNK", 5 * 3072)  # three chunks a part

    def stopping(*given, **settings):
        if made.count(1) == chunks:
            raise Stopped
        made.append(1)
        return corrupt(*given, **settings)

    made: list[int] = []
    monkeypatch.setattr("gossamer.corrupt.recipe.corrupt", stopping)
    with pytest.raises(Stopped):
        write_corrupted(images, labels, tmp_path / "stopped", **asked)
    with pytest.raises(DataError, match=r"unfinished|expected severities|lacks severities"):
        read_corrupted(tmp_path / "stopped")
    made = [0] * 0
    chunks = -1
    write_corrupted(images, labels, tmp_path / "stopped", **asked)
    assert sums(tmp_path / "stopped") == sums(tmp_path / "whole")


MANY = {"kinds": ("gaussian_noise", "sparkles", "brownish_noise"), "severities": (1, 2, 3)}
WRITE = """
import sys, torch
from gossamer.corrupt.recipe import Recipe
from gossamer.corrupt.written import write_corrupted
from tests.test_corrupt_layouts import MANY, clean
torch.set_num_threads(1)
images, labels = clean(int(sys.argv[3]))
say = lambda *part: print(*part, flush=True)
write_corrupted(images, labels, sys.argv[1], layout=sys.argv[2], after=say, **MANY)
"""


@pytest.mark.parametrize(("layout", "count"), [("cifar-c", 600), ("folders", 150)])
def test_killed_for_real_it_goes_on_and_ends_with_the_same_bytes(tmp_path, layout, count):
    """SIGKILL to two processes: while the first severity grows, and while one grows after the fourth part."""
    growing = {"cifar-c": "*.npy.part", "folders": "*/.?.part/*/*.png"}[layout]
    for finished in (0, 4):
        words = [sys.executable, "-c", WRITE, str(tmp_path / "killed"), layout, str(count)]
        with subprocess.Popen(words, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            for _ in range(finished):
                assert running.stdout.readline()
            while not list((tmp_path / "killed").glob(growing)):
                assert running.poll() is None
                time.sleep(0.001)
            os.kill(running.pid, signal.SIGKILL)
        assert running.returncode == -signal.SIGKILL
        with pytest.raises(DataError, match=r"unfinished|lacks severities|expected severities"):
            read_corrupted(tmp_path / "killed")
    write_corrupted(*clean(count), tmp_path / "killed", layout=layout, **MANY)
    write_corrupted(*clean(count), tmp_path / "whole", layout=layout, **MANY)
    assert sums(tmp_path / "killed") == sums(tmp_path / "whole")


def test_what_is_finished_is_kept(tmp_path):
    images, labels = clean()
    write_corrupted(images, labels, tmp_path, KINDS, (1, 2))
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*noise.npy")}
    (tmp_path / "sparkles.npy").unlink()
    write_corrupted(images, labels, tmp_path, KINDS, (1, 2))
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.glob("*noise.npy")}
    assert json.loads((tmp_path / "set.json").read_text())["severities"] == [1, 2]


def test_a_note_left_by_a_kill_in_the_last_step_is_cleared(tmp_path):
    images, labels = clean()
    write_corrupted(images, labels, tmp_path, KINDS, (1,))
    before = sums(tmp_path)
    (tmp_path / "sparkles.npy.done").write_text("1")
    write_corrupted(images, labels, tmp_path, KINDS, (1,))
    assert sums(tmp_path) == before
