import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from gossamer.bench.data import load
from gossamer.bench.data.unpickle import read_pickle
from gossamer.core.errors import DataError, MissingError

NAMES = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]


def pixels(seed, count=4):
    return np.random.RandomState(seed).randint(256, size=(count, 3072)).astype(np.uint8)


def python2_pickle(data, labels, *, order=b"\x89", label_key=b"labels", dtype=b"u1"):
    """Byte for byte what Python 2's cPickle makes of {'data': array, 'labels': list} with protocol 2."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    shape = b"".join(b"J" + struct.pack("<i", size) for size in data.shape) + b"\x86"
    content = data.tobytes("F" if order == b"\x88" else "C")
    kind = b"cnumpy\ndtype\n" + text(dtype) + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN"
    kind += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R(K\x01"
    array += shape + kind + order + b"T" + struct.pack("<i", len(content)) + content + b"tb"
    numbers = b"](" + b"".join(b"J" + struct.pack("<i", label) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(label_key) + numbers + b"u."


def python3_pickle(data, labels, *, label_key="labels"):
    return pickle.dumps({b"data": data, label_key: labels, b"batch_label": b"a batch"}, protocol=2)


def batches10(write=python2_pickle):
    files = {f"data_batch_{i}": write(pixels(i), [i, 0, 9, 5]) for i in range(1, 6)}
    files["test_batch"] = write(pixels(6), [1, 2, 3, 4])
    files["batches.meta"] = pickle.dumps({b"label_names": NAMES, b"num_vis": 3072}, protocol=2)
    return files


def write_batches(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_archive(path, files, prefix="cifar-10-batches-py/"):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def check_cifar10(data):
    assert (data.label, data.channels, data.image_size) == ("CIFAR-10", 3, 32)
    assert data.train_images.shape == (20, 3, 32, 32)
    assert data.train_labels[4:8].tolist() == [2, 0, 9, 5]
    expected = np.concatenate([pixels(i) for i in range(1, 6)])
    assert data.train_images.numpy().tobytes() == expected.tobytes()
    assert data.test_images.numpy().tobytes() == pixels(6).tobytes()
    assert data.classes[9] == "truck"
    assert data.mean == (0.4914, 0.4822, 0.4465)


@pytest.mark.parametrize("write", [python2_pickle, python3_pickle])
def test_cifar10_from_its_batches(tmp_path, write):
    check_cifar10(load("cifar10", folder=write_batches(tmp_path, batches10(write))))


def test_cifar10_from_the_official_archive_without_unpacking_it(tmp_path):
    write_archive(tmp_path / "cifar-10-python.tar.gz", batches10())
    check_cifar10(load("cifar10", folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-python.tar.gz"]


def test_cifar10_under_a_data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("GOSSAMER_DATA", str(tmp_path))
    write_batches(tmp_path / "cifar-10-batches-py", batches10())
    check_cifar10(load("cifar10"))


def test_the_hand_made_pickle_is_one_that_numpy_reads():
    assert (pickle.loads(python2_pickle(pixels(1), [1, 2, 3, 4]), encoding="bytes")[b"data"] == pixels(1)).all()


def test_column_major_arrays_are_read_in_their_order(tmp_path):
    files = batches10() | {"test_batch": python2_pickle(pixels(6), [1, 2, 3, 4], order=b"\x88")}
    check_cifar10(load("cifar10", folder=write_batches(tmp_path, files)))


def test_cifar100_takes_the_fine_labels(tmp_path):
    names = [f"class {i}".encode() for i in range(100)]
    files = {
        "train": python2_pickle(pixels(1), [99, 0, 50, 7], label_key=b"fine_labels"),
        "test": python3_pickle(pixels(2), [1, 2, 3, 4], label_key=b"fine_labels"),
        "meta": pickle.dumps({b"fine_label_names": names}, protocol=2),
    }
    data = load("cifar100", folder=write_batches(tmp_path, files))
    assert (data.label, data.num_classes, data.classes[99]) == ("CIFAR-100", 100, "class 99")
    assert data.train_labels.tolist() == [99, 0, 50, 7]
    assert data.std == (0.2673, 0.2564, 0.2762)


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path):
    harm = tmp_path / "harm"
    pickle.loads(pickle.dumps(Touch(harm)))  # the payload works on a reader that trusts it
    harm.rmdir()
    payload = pickle.dumps({b"data": pixels(1), b"labels": [0, 1, 2, 3], b"extra": Touch(harm)}, protocol=2)
    folder = write_batches(tmp_path / "set", batches10() | {"data_batch_3": payload})
    with pytest.raises(DataError, match=r"data_batch_3: refused as a data pickle .*mkdir.*nothing in it was executed"):
        load("cifar10", folder=folder)
    assert not harm.exists()


@pytest.mark.parametrize(
    "asks",
    [
        b"cbuiltins\neval\n",
        b"c__builtin__\ngetattr\n",
        b"cnumpy\nload\n",
        b"cnumpy.core.multiarray\nfromfile\n",
        b"\x8c\x05numpy\x8c\x0fndarray.tofile\x93",
        b"cgossamer.bench.data.unpickle\nReader\n",
        b"P0\n",
    ],
)
def test_any_other_name_is_refused(asks):
    with pytest.raises(DataError, match="file: refused as a data pickle"):
        read_pickle(b"\x80\x04" + asks + b".", "file")


@pytest.mark.parametrize("kind", [b"O8", b"f8", b"V1"])
def test_arrays_of_anything_but_bytes_are_refused(kind):
    with pytest.raises(DataError, match=r"refused as a data pickle .*array of type .*; expected 'u1'"):
        read_pickle(python2_pickle(pixels(1), [0], dtype=kind), "file")


def test_an_array_without_a_type_is_refused():
    content = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nNNN\x87R(K\x01K\x01\x85NN\x8c\x01atb."
    with pytest.raises(DataError, match=r"refused as a data pickle .*array without a type"):
        read_pickle(content, "file")


def test_an_unknown_codec_is_refused():
    with pytest.raises(DataError, match=r"refused as a data pickle .*codec 'rot13'; expected 'latin1'"):
        read_pickle(b"\x80\x04c_codecs\nencode\n\x8c\x01a\x8c\x05rot13\x86R.", "file")


@pytest.mark.parametrize("left", [0, 1, 10, 200, 5000, -1])
def test_a_pickle_cut_short_is_refused(tmp_path, left):
    files = batches10()
    files["test_batch"] = files["test_batch"][:left]
    with pytest.raises(DataError, match=r"test_batch: refused as a data pickle .*it is cut short, damaged"):
        load("cifar10", folder=write_batches(tmp_path, files))


def test_damage_at_any_place_is_either_harmless_or_refused():
    whole = python2_pickle(pixels(1, count=1)[:, :16], [3])
    refused = 0
    for place in range(len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :]
        try:
            assert isinstance(read_pickle(damaged, "file"), dict)
        except DataError:
            refused += 1
    assert refused > 50


def test_a_pickle_of_something_else_is_refused():
    with pytest.raises(DataError, match="file: expected a pickled dictionary, got list"):
        read_pickle(pickle.dumps([1, 2]), "file")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_2", pickle.dumps({b"data": 3, b"labels": []}), r"data_batch_2: expected an entry 'data' of type"),
        ("test_batch", python2_pickle(pixels(1), [0] * 4, label_key=b"fine_labels"), r"an entry 'labels' of type list"),
        (
            "test_batch",
            python2_pickle(pixels(1)[:, :100], [0] * 4),
            r"expected data of shape \(N, 3072\), got \(4, 100\)",
        ),
        ("test_batch", python2_pickle(pixels(1), [0] * 3), r"test_batch: 4 images but 3 labels"),
        ("test_batch", python2_pickle(pixels(1), [0, 1, 10, 2]), r"label 10 at index 2 is outside 0\.\.9"),
        ("test_batch", python3_pickle(pixels(1), [0, 1, "x", 2]), r"expected whole numbers as 'labels'"),
        ("batches.meta", pickle.dumps({"label_names": NAMES[:9]}), r"expected 10 class names, got 9"),
    ],
)
def test_wrong_content_is_refused(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        load("cifar10", folder=write_batches(tmp_path, batches10() | {name: content}))


def test_a_missing_batch_is_named(tmp_path):
    (write_batches(tmp_path, batches10()) / "data_batch_4").unlink()
    with pytest.raises(MissingError, match=r": lacks data_batch_4\n"):
        load("cifar10", folder=tmp_path)


def test_an_archive_without_a_batch_is_refused(tmp_path):
    files = batches10()
    del files["data_batch_4"]
    write_archive(tmp_path / "cifar-10-python.tar.gz", files)
    with pytest.raises(DataError, match=r"expected the official archive, but it lacks data_batch_4"):
        load("cifar10", folder=tmp_path)
