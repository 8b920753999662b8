import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gossamer.bench.data import DATASETS, Dataset, available, download, load
from gossamer.bench.data.fetch import Remote, fetch
from gossamer.core.errors import DataError, MissingError, SettingError, UnknownNameError


def toy(**changed):
    images = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2)
    settings = {
        "name": "toy",
        "label": "Toy",
        "train_images": images,
        "train_labels": torch.tensor([0, 1, 0, 1]),
        "test_images": images[:2],
        "test_labels": torch.tensor([1, 0]),
        "classes": ("a", "b"),
        "mean": (0.5,) * 3,
        "std": (0.2,) * 3,
    }
    return Dataset(**(settings | changed))


def test_digits_are_scikit_learns_scaled_to_255():
    data, bunch = load("digits"), load_digits()
    images = torch.cat([data.train_images, data.test_images]).flatten(1).tolist()
    labels = torch.cat([data.train_labels, data.test_labels]).tolist()
    expected = np.rint(bunch.data * 255 / 16).astype(int).tolist()
    assert sorted(zip(images, labels, strict=True)) == sorted(zip(expected, bunch.target.tolist(), strict=True))
    assert data.train_images.max() == 255


def test_the_digits_split_is_a_fifth_of_each_class_and_never_changes():
    data = load("digits")
    counts = torch.cat([data.train_labels, data.test_labels]).bincount().tolist()
    assert data.test_labels.bincount().tolist() == [round(count / 5) for count in counts]
    assert (len(data.train_images), len(data.test_images)) == DATASETS["digits"].counts
    assert load("digits").fingerprint == data.fingerprint
    digest = hashlib.sha256(data.test_images.numpy().tobytes()).hexdigest()
    assert digest.startswith("2f5eb12f1dfec8a2")


def test_the_fingerprint_is_of_the_content_and_of_nothing_else():
    whole = toy().fingerprint
    assert toy(name="other", label="Other").fingerprint == whole
    assert toy(train_images=toy().train_images.transpose(2, 3).contiguous().transpose(2, 3)).fingerprint == whole
    changed = [
        toy(train_images=toy().train_images + 1),
        toy(train_labels=torch.tensor([1, 1, 0, 1])),
        toy(test_labels=torch.tensor([1, 1])),
        toy(classes=("a", "c")),
        toy(mean=(0.5, 0.5, 0.4)),
    ]
    assert len({whole, *(data.fingerprint for data in changed)}) == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"train_images": torch.zeros(4, 3, 2, 2)},
            r"Toy, train: expected uint8 images \(N, C, H, W\) and int64 labels",
        ),
        ({"test_labels": torch.tensor([1, 0], dtype=torch.int32)}, r"Toy, test: expected uint8 images"),
        ({"test_labels": torch.tensor([1])}, r"Toy, test: 2 images but 1 labels"),
        ({"train_labels": torch.tensor([0, 1, -1, 2])}, r"Toy, train: label -1 at index 2 is outside 0\.\.1 \(2 such"),
        ({"mean": (0.5,)}, r"expected a mean and a positive std for each of 3 channels"),
        ({"std": (0.2, 0.0, 0.2)}, r"expected a mean and a positive std for each of 3 channels"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(changed, message):
    with pytest.raises(DataError, match=message):
        toy(**changed)


def test_an_unknown_name_says_the_nearest_one():
    with pytest.raises(UnknownNameError, match=r"unknown data set 'minst'; did you mean 'mnist'\? known: cifar10,"):
        load("minst")
    with pytest.raises(UnknownNameError, match=r"unknown data set 'cifar'; did you mean 'cifar10+'"):
        download("cifar")


@pytest.mark.parametrize("name", ["digits", "folder:pets", "minst"])
def test_a_folder_is_refused_where_none_is_needed(name):
    with pytest.raises(SettingError, match=rf"folder='here' says where a named data set lies, but '{name}' needs none"):
        load(name, folder="here")


def test_the_list_says_what_is_there_and_how_to_get_the_rest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {entry.name: entry for entry in available()}
    assert set(before) == set(DATASETS)
    assert (before["digits"].present, before["digits"].place) == (True, "scikit-learn")
    assert (before["cifar10"].present, before["cifar10"].place) == (False, None)
    assert "cifar.html" in before["cifar10"].advice
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-python.tar.gz").touch()
    after = {entry.name: entry for entry in available()}
    assert after["cifar10"].place == "data/cifar-10-python.tar.gz"
    assert not after["cifar100"].present
    assert {entry.name for entry in available(tmp_path / "data") if entry.present} == {"digits", "cifar10"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root = tmp_path / "served"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_a_file_with_the_right_checksum_is_fetched_once(server, tmp_path):
    root, url = server
    (root / "a.gz").write_bytes(b"content")
    remote = Remote(url=f"{url}/a.gz", md5=md5(b"content"))
    target = tmp_path / "new" / "folder"
    assert fetch(remote, target).read_bytes() == b"content"
    (root / "a.gz").unlink()
    assert fetch(remote, target) == target / "a.gz"


def test_a_wrong_checksum_keeps_nothing(server, tmp_path):
    root, url = server
    (root / "cifar-10-python.tar.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"expected the checksum md5:c58f30108f718f92721af3b95e74349a, got another"):
        download("cifar10", tmp_path / "target", mirror=url)
    assert list((tmp_path / "target").iterdir()) == []


def test_a_file_of_that_name_with_another_checksum_is_fetched_anew(server, tmp_path):
    root, url = server
    (root / "a.gz").write_bytes(b"content")
    (tmp_path / "a.gz").write_bytes(b"cont")
    assert fetch(Remote(url=f"{url}/a.gz", md5=md5(b"content")), tmp_path).read_bytes() == b"content"


def test_a_file_that_cannot_be_reached_or_stored(server, tmp_path):
    root, url = server
    with pytest.raises(MissingError, match=r"/mnist/train-images-idx3-ubyte\.gz: cannot be fetched to .*\(404"):
        download("mnist", tmp_path / "target", mirror=f"{url}/mnist/")
    (root / "a.gz").write_bytes(b"content")
    with pytest.raises(MissingError, match=r"a\.gz: cannot be fetched to .*fetch it by other means and put it there"):
        fetch(Remote(url=f"{url}/a.gz", md5=md5(b"content")), root / "a.gz")


def test_what_is_downloaded_is_found_by_load(server, tmp_path, monkeypatch, published_fashion_mnist):
    root, url = server
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOSSAMER_CACHE", str(tmp_path / "cache"))
    for name, content in published_fashion_mnist.items():
        (root / name).write_bytes(content)
    paths = download("fashion-mnist", mirror=url)
    assert {path.parent for path in paths} == {tmp_path / "cache" / "fashion-mnist"}
    assert next(entry.place for entry in available() if entry.name == "fashion-mnist") == str(paths[0].parent)
    assert len(load("fashion-mnist").train_images) == 60_000
