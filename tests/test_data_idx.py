import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch

from gossamer.bench.data import load
from gossamer.bench.data.catalogue import DATASETS, IDX_FILES
from gossamer.core.errors import DataError, MissingError

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = IDX_FILES
UNCOMPRESSED_MNIST = (  # MD5 of the original files without gzip
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)


def images_file(count, size=28, magic=2051):
    pixels = np.random.RandomState(count).randint(256, size=(count, size, size)).astype(np.uint8)
    return struct.pack(">4I", magic, count, size, size) + pixels.tobytes()


def labels_file(labels, magic=2049):
    return struct.pack(">2I", magic, len(labels)) + bytes(labels)


def write_set(folder, *, packed=True, train=20, test=10):
    folder.mkdir(parents=True, exist_ok=True)
    contents = [make(count) for count in (train, test) for make in (images_file, lambda n: labels_file(digits(n)))]
    for name, content in zip(IDX_FILES, contents, strict=True):
        write_file(folder, name, content, packed=packed)
    return folder


def digits(count):
    return [index % 10 for index in range(count)]


def write_file(folder, name, content, *, packed=True):
    (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_what_was_written_is_what_is_loaded(tmp_path, packed, name):
    data = load(name, folder=write_set(tmp_path, packed=packed))
    assert data.train_images.numpy().tobytes() == images_file(20)[16:]
    assert data.test_images.numpy().tobytes() == images_file(10)[16:]
    assert data.train_images.shape == (20, 1, 28, 28)
    assert data.train_labels.tolist() == [*range(10), *range(10)]
    assert (data.num_classes, data.channels, data.image_size) == (10, 1, 28)


def test_published_statistics_for_mnist_and_computed_ones_for_fashion_mnist(tmp_path):
    write_set(tmp_path)
    assert load("mnist", folder=tmp_path).mean == (0.1307,)
    assert load("mnist", folder=tmp_path).std == (0.3081,)
    fashion = load("fashion-mnist", folder=tmp_path)
    scaled = fashion.train_images.double() / 255
    assert fashion.mean[0] == pytest.approx(scaled.mean().item(), rel=1e-12)
    assert fashion.std[0] == pytest.approx(scaled.std(correction=0).item(), rel=1e-12)


def test_places_are_searched_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path / "mine"))
    for count, place in ((11, "cache/mnist"), (12, "data/MNIST/raw"), (13, "data/mnist"), (14, "mine/mnist")):
        write_set(tmp_path / place, train=count)
        assert len(load("mnist").train_images) == count  # each comes before the ones that were there
    assert len(load("mnist", folder=tmp_path / "cache").train_images) == 11  # a given folder is the only one


def test_missing_files_name_the_places_what_each_lacks_and_the_way_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOSSAMER_DATA", "elsewhere")
    (write_set(tmp_path / "data" / "mnist") / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingError, match=r"data set 'mnist' not found; searched:") as caught:
        load("mnist")
    message = str(caught.value)
    assert "elsewhere/mnist: no such folder" in message
    assert "data/mnist: lacks t10k-labels-idx1-ubyte" in message
    assert "get the four idx files from http://yann.lecun.com/exdb/mnist" in message
    assert "`gossamer data`" in message


def test_fashion_mnist_says_which_package_has_it(tmp_path):
    with pytest.raises(MissingError, match="apt-get install dataset-fashion-mnist"):
        load("fashion-mnist", folder=tmp_path)


@pytest.mark.parametrize("left", [0, 3, 5, 15, 16, 1000])
def test_a_plain_file_cut_short_is_refused(tmp_path, left):
    write_file(write_set(tmp_path, packed=False), TRAIN_IMAGES, images_file(20)[:left], packed=False)
    with pytest.raises(
        DataError, match=rf"train-images-idx3-ubyte: expected .* bytes.*, got {left};.*get the file again"
    ):
        load("mnist", folder=tmp_path)


@pytest.mark.parametrize("left", [5, 12, 500, -9, -1])
def test_a_gzip_file_cut_short_is_refused(tmp_path, left):
    path = write_set(tmp_path) / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz: cannot be decompressed .*cut short or damaged"):
        load("mnist", folder=tmp_path)


def test_a_gzip_file_with_a_changed_byte_is_refused(tmp_path):
    path = write_set(tmp_path) / f"{TRAIN_IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be decompressed"):
        load("mnist", folder=tmp_path)


def test_something_else_named_gz_is_refused(tmp_path):
    (write_set(tmp_path) / f"{TRAIN_LABELS}.gz").write_text("<html>404</html>")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: cannot be decompressed \(Not a gzipped file"):
        load("mnist", folder=tmp_path)


def test_a_wrong_magic_number_is_refused(tmp_path):
    write_file(write_set(tmp_path), TRAIN_IMAGES, images_file(20, magic=2052))
    with pytest.raises(DataError, match="expected the magic number 2051, got 2052; this is not the idx file"):
        load("mnist", folder=tmp_path)


def test_a_file_longer_than_its_header_says_is_refused(tmp_path):
    write_file(write_set(tmp_path), TEST_LABELS, labels_file([0] * 10) + b"\0")
    with pytest.raises(DataError, match=r"expected 18 bytes for 10, got 19"):
        load("mnist", folder=tmp_path)


def test_unequal_counts_are_refused(tmp_path):
    write_file(write_set(tmp_path), TRAIN_LABELS, labels_file([0] * 19))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: 20 images but 19 labels; .*get both again"):
        load("mnist", folder=tmp_path)


def test_a_label_outside_the_classes_is_refused(tmp_path):
    write_file(write_set(tmp_path), TRAIN_LABELS, labels_file([0] * 17 + [10, 3, 255]))
    with pytest.raises(DataError, match=r"label 10 at index 17 is outside 0\.\.9 \(2 such labels\)"):
        load("mnist", folder=tmp_path)


def test_an_empty_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="no images at all; expected at least one"):
        load("mnist", folder=write_set(tmp_path, test=0))


def test_test_images_of_another_size_are_refused(tmp_path):
    write_file(write_set(tmp_path), TEST_IMAGES, images_file(10, size=27))
    with pytest.raises(DataError, match=r"train images are \(C, H, W\) = \(1, 28, 28\), test images \(1, 27, 27\)"):
        load("mnist", folder=tmp_path)


def test_mnist_itself(shared_data):
    data = load("mnist", folder=shared_data("mnist"))
    assert (len(data.train_images), len(data.test_images)) == DATASETS["mnist"].counts
    parts = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    headers = (
        struct.pack(">4I", 2051, 60_000, 28, 28),
        struct.pack(">2I", 2049, 60_000),
        struct.pack(">4I", 2051, 10_000, 28, 28),
        struct.pack(">2I", 2049, 10_000),
    )
    for header, tensor, checksum in zip(headers, parts, UNCOMPRESSED_MNIST, strict=True):
        content = header + tensor.to(torch.uint8).numpy().tobytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == checksum
    scaled = data.train_images.double() / 255
    assert data.mean[0] == pytest.approx(scaled.mean().item(), abs=1e-4)
    assert data.std[0] == pytest.approx(scaled.std().item(), abs=1e-4)


def test_fashion_mnist_of_the_debian_package_is_the_published_one(published_fashion_mnist):
    for remote in DATASETS["fashion-mnist"].remotes:
        content = published_fashion_mnist[remote.file]
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == remote.md5


@pytest.mark.usefixtures("published_fashion_mnist")  # which skips where the package is absent
def test_fashion_mnist_is_found_where_debian_puts_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = load("fashion-mnist")
    assert (len(data.train_images), len(data.test_images)) == DATASETS["fashion-mnist"].counts
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert (round(data.mean[0], 4), round(data.std[0], 4)) == (0.2860, 0.3530)
