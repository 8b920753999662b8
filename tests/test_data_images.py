import gzip
import io
import lzma
import os
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from gossamer.bench.data import decoded, load
from gossamer.core.errors import DataError, MissingError

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def picture(seed, *, size=(8, 8), mode="RGB", suffix="png"):
    shape = size[::-1] if mode == "L" else (*size[::-1], len(mode))
    values = np.random.RandomState(seed).randint(256, size=shape).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "png" if suffix == "png" else "jpeg")
    return buffer.getvalue()


def image_files(*, classes=("cat", "dog"), train=3, test=2, suffix="png", **settings):
    counts = {"train": train, "test": test}
    names = [f"{split}/{name}/{i:02}.{suffix}" for split in counts for name in classes for i in range(counts[split])]
    return {name: picture(seed, suffix=suffix, **settings) for seed, name in enumerate(names)}


def write_folder(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def load_path(path):
    return load(f"folder:{path}")


def test_pixels_labels_and_order_of_a_folder(tmp_path):
    files = image_files()
    data = load(str(write_folder(tmp_path / "pets", files)))
    assert (data.name, data.label, data.classes) == ("pets", "pets", ("cat", "dog"))
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test_labels.tolist() == [0, 0, 1, 1]
    expected = [np.asarray(Image.open(io.BytesIO(files[name]))) for name in sorted(files) if name.startswith("train")]
    assert torch.equal(data.train_images.permute(0, 2, 3, 1), torch.from_numpy(np.stack(expected)))
    scaled = data.train_images.double() / 255
    assert data.mean == pytest.approx(scaled.mean((0, 2, 3)).tolist())
    assert data.std == pytest.approx(scaled.std((0, 2, 3), correction=0).tolist())


def test_other_files_are_passed_over(tmp_path):
    extra = {"train/cat/Thumbs.db": b"x", "train/cat/._00.png": b"x", "train/notes.txt": b"x", "README.md": b"x"}
    data = load_path(write_folder(tmp_path, image_files() | extra))
    assert len(data.train_images) == 6


def test_grey_images_have_one_channel_and_mixed_ones_three(tmp_path):
    grey = image_files(mode="L")
    assert load_path(write_folder(tmp_path / "grey", grey)).channels == 1
    mixed = load_path(write_folder(tmp_path / "mixed", grey | {"train/dog/00.png": picture(1)}))
    assert mixed.channels == 3
    assert torch.equal(mixed.train_images[0, 0], mixed.train_images[0, 2])


def test_transparency_is_dropped(tmp_path):
    files = image_files() | {"train/dog/00.png": picture(1, mode="RGBA")}
    assert load_path(write_folder(tmp_path, files)).channels == 3


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
@pytest.mark.parametrize("prefix", ["", "./", "pets-1.0/"])
def test_an_archive_is_the_same_as_its_folder_and_nothing_is_unpacked(tmp_path, monkeypatch, mode, prefix):
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    files = image_files()
    place = tmp_path / "place"
    place.mkdir()
    path = write_tar(place / "pets.tar", {prefix + name: content for name, content in reversed(files.items())}, mode)
    assert load(str(path)).fingerprint == load_path(write_folder(tmp_path / "pets", files)).fingerprint
    assert load(str(path)).name == "pets"
    assert [entry.name for entry in place.iterdir()] == ["pets.tar"]


def test_cifar_as_jpeg_is_labelled_so(tmp_path):
    jpegs = image_files(classes=CIFAR10, train=1, test=1, size=(32, 32), suffix="jpg")
    data = load_path(write_folder(tmp_path / "jpeg", jpegs))
    assert (data.name, data.label) == ("cifar10-jpeg", "CIFAR-10 (JPEG)")
    pngs = image_files(classes=CIFAR10, train=1, test=1, size=(32, 32))
    assert load_path(write_folder(tmp_path / "png", pngs)).label == "png"
    smaller = image_files(classes=CIFAR10, train=1, test=1, size=(16, 16), suffix="jpg")
    assert load_path(write_folder(tmp_path / "small", smaller)).label == "small"


def test_cifar_as_jpeg_itself(shared_data):
    data = load(str(shared_data("cifar10-jpeg.tar.xz")))
    assert (data.label, data.classes) == ("CIFAR-10 (JPEG)", CIFAR10)
    assert data.train_images.shape == (50_000, 3, 32, 32)
    assert data.train_labels.bincount().tolist() == [5000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    assert data.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=5e-4)  # JPEG changes single pixels, not the mean


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    return write_tar(tmp_path / "pets.tar.gz", image_files(), "w:gz")


def test_the_decoded_copy_is_what_a_second_call_reads(archive, monkeypatch):
    first = load(str(archive))
    monkeypatch.setattr(decoded, "read_images", lambda path: pytest.fail("decoded again"))
    second = load(str(archive))
    assert second.fingerprint == first.fingerprint
    assert (second.name, second.classes) == (first.name, first.classes)


def test_a_changed_archive_is_decoded_again(archive):
    load(str(archive))
    write_tar(archive, image_files(train=4), "w:gz")
    assert len(load(str(archive)).train_images) == 8


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "other"])
def test_a_damaged_copy_is_decoded_again_and_mended(archive, damage):
    fingerprint = load(str(archive)).fingerprint
    copy = decoded.copy_path(archive)
    content = bytearray(copy.read_bytes())
    with zipfile.ZipFile(copy) as packed:
        middle = packed.getinfo("train_images.npy").header_offset + 400
    content[middle] ^= 1
    copy.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "changed": content, "other": b"hello"}[damage])
    assert load(str(archive)).fingerprint == fingerprint
    with zipfile.ZipFile(copy) as mended:
        assert mended.testzip() is None
    assert [entry.suffix for entry in copy.parent.iterdir()] == [".npz"]


def test_a_cache_that_cannot_be_written_costs_only_the_copy(archive, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(load(str(archive)).train_images) == 6


def test_a_path_that_is_not_there(tmp_path):
    for name in (f"folder:{tmp_path / 'no'}", str(tmp_path / "no.tar.xz")):
        with pytest.raises(MissingError, match=r"no(\.tar\.xz)?: no such file or folder; expected an image folder"):
            load(name)


def test_a_folder_without_train_or_test(tmp_path):
    with pytest.raises(MissingError, match=r"no folder 'train'; expected train/<class>/\*\.png"):
        load_path(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(MissingError, match=r"no folder 'test'; expected"):
        load_path(tmp_path)


def test_an_empty_class_folder(tmp_path):
    (write_folder(tmp_path, image_files()) / "train" / "eel").mkdir()
    with pytest.raises(
        DataError, match=r"eel: a class folder without any \.png, \.jpg or \.jpeg; fill it or remove it"
    ):
        load_path(tmp_path)


def test_no_classes_at_all(tmp_path):
    files = {name: content for name, content in image_files().items() if name.startswith("train")}
    (write_folder(tmp_path / "pets", files) / "test").mkdir()
    with pytest.raises(DataError, match=r"found 2 classes in train and 0 in test"):
        load_path(tmp_path / "pets")
    with pytest.raises(DataError, match=r"found 0 classes in train and 0 in test"):
        load_path(write_tar(tmp_path / "other.tar", {"a.txt": b"x"}))


def test_classes_that_only_one_split_has(tmp_path):
    with pytest.raises(DataError, match=r"the same classes, but only one of them has eel, fox; add the missing"):
        load_path(write_folder(tmp_path, image_files() | {"train/eel/0.png": picture(0), "test/fox/0.png": picture(0)}))


def test_the_first_image_of_another_size_is_named(tmp_path):
    odd = {"test/cat/01.png": picture(0, size=(9, 8)), "train/dog/02.png": picture(0, size=(8, 7))}
    with pytest.raises(DataError, match=r"train/dog/02\.png is 8x7, but train/cat/00\.png is 8x8; .*resize or crop"):
        load_path(write_folder(tmp_path, image_files() | odd))


def test_images_that_are_not_square(tmp_path):
    with pytest.raises(DataError, match=r"images are 8 high and 6 wide; the models take square ones: crop or pad them"):
        load_path(write_folder(tmp_path, image_files(size=(6, 8))))


def test_images_of_one_flat_colour(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "png")
    with pytest.raises(DataError, match=r"expected a mean and a positive std for each of 3 channels.*one flat colour"):
        load_path(write_folder(tmp_path, dict.fromkeys(image_files(), buffer.getvalue())))


@pytest.mark.parametrize("content", [b"", b"no image", picture(0)[:60], picture(0, suffix="jpg")[:200]])
def test_an_unreadable_image_is_named(tmp_path, content):
    with pytest.raises(DataError, match=r"train/dog/01\.png: cannot be read as an image .*remove or replace the file"):
        load_path(write_folder(tmp_path, image_files() | {"train/dog/01.png": content}))


def test_an_image_of_16_bits_is_refused_rather_than_clipped(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(buffer, "png")
    with pytest.raises(
        DataError, match=r"expected 8 bits per channel, got Pillow mode 'I;16'; convert it to 8-bit RGB"
    ):
        load_path(write_folder(tmp_path, image_files() | {"train/dog/01.png": buffer.getvalue()}))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_an_archive_cut_short_anywhere_is_refused(tmp_path, pack):
    whole = pack(write_tar(tmp_path / "whole.tar", image_files()).read_bytes())
    if pack is bytes:
        whole = whole[: len(whole.rstrip(b"\0")) + 1024]  # without tarfile's further padding
    for left in {*range(1, len(whole), 97), len(whole) - 1, len(whole) // 512 * 512 - 512}:
        path = tmp_path / "cut.tar"
        path.write_bytes(whole[:left])
        with pytest.raises(DataError, match="cut short"):
            load_path(path)


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "a.tar").write_text("hello")
    with pytest.raises(DataError, match=r"a\.tar: is no tar archive, or one that is cut short"):
        load(str(tmp_path / "a.tar"))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(b"hello" * 1000))
    with pytest.raises(DataError, match=r"b\.tar\.gz: cannot be read as a tar archive"):
        load(str(tmp_path / "b.tar.gz"))


@pytest.mark.parametrize("name", ["../train/cat/9.png", "a/../../train/cat/9.png", "/train/cat/9.png"])
def test_a_member_that_points_outside_is_refused(tmp_path, name):
    path = write_tar(tmp_path / "evil.tar", image_files() | {name: picture(0)})
    with pytest.raises(DataError, match=r"points outside the archive; expected relative names without '\.\.'"):
        load(str(path))


def test_links_in_an_archive_are_not_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "secret.png").write_bytes(picture(0))
    path = write_tar(tmp_path / "links.tar", image_files())
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"train/cat/link{kind.decode()}.png")
            member.type, member.linkname = kind, os.fspath(tmp_path / "secret.png")
            archive.addfile(member)
    assert len(load(str(path)).train_images) == 6


def test_two_data_sets_in_one_archive(tmp_path):
    files = image_files()
    both = {f"{top}/{name}": content for top in ("a", "b") for name, content in files.items()}
    with pytest.raises(DataError, match=r"more than one train/test folder \(a, b\); expected one data set"):
        load(str(write_tar(tmp_path / "both.tar", both)))
