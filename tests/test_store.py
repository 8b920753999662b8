"""The folder of a run: whole files or none, and reading one never executes anything."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.bench.run import run
from gossamer.bench.store import RunFolder
from gossamer.core.errors import DataError, StateError
from tests.workbench import bench, said, spec


class Malicious:
    """Writes a file as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    assert (folder.result(), folder.load_state(), folder.read_json("spec.json")) == (None, None, None)
    folder.write_json("result.json", {"a": 1})
    folder.save_state({"step": 3, "weights": torch.arange(3.0)})
    folder.save_tensors("model.safetensors", {"w": torch.arange(4).view(2, 2).t()})
    state = folder.load_state()
    assert state is not None
    assert (state["step"], state["weights"].tolist()) == (3, [0.0, 1.0, 2.0])
    assert folder.load_tensors("model.safetensors")["w"].tolist() == [[0, 2], [1, 3]]
    assert folder.result() == {"a": 1}
    folder.forget_state()
    folder.forget_state()
    assert folder.load_state() is None


def plain_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("dump", [torch.save, plain_pickle])
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: {"round": 0, "training": bad}], ids=["bare", "inside"])
def test_a_malicious_checkpoint_is_refused_and_executes_nothing(
    dump: Callable[..., Any], wrap: Callable[..., Any], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / spec().key)
    folder.path.mkdir()
    dump(wrap(Malicious(tmp_path / "executed")), folder.path / "state.pt")
    with pytest.raises(DataError, match=r"expected a checkpoint in .*state\.pt, got something else .* move it away"):
        run(spec(), bench(tmp_path))
    assert not (tmp_path / "executed").exists()
    with suppress(RuntimeError):  # a plain pickle is executed first and refused then
        torch.load(folder.path / "state.pt", weights_only=False)  # the file is as bad as it claims to be
    assert (tmp_path / "executed").exists()


def test_malicious_weights_are_refused_and_execute_nothing(tmp_path: Path) -> None:
    run(spec("dense"), bench(tmp_path))
    (tmp_path / spec("dense").key / "model.safetensors").write_bytes(pickle.dumps(Malicious(tmp_path / "executed")))
    with pytest.raises(DataError, match=r"expected tensors in .*model\.safetensors, got .*; remove the folder"):
        run(spec("omp"), bench(tmp_path))
    assert not (tmp_path / "executed").exists()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(255 - byte for byte in content[: len(content) // 2])
    path.write_bytes(content)


DAMAGE = [truncated, emptied, flipped]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_run_begins_again_without_it(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / spec().key)
    folder.save_state({"weights": torch.arange(1000.0)})
    damage(folder.path / "state.pt")
    with pytest.raises(DataError, match=r"expected a checkpoint in .*move it away and rerun: the run starts again"):
        run(spec(), bench(tmp_path))
    (folder.path / "state.pt").rename(tmp_path / "away")  # as told
    run(spec(), bench(tmp_path))
    assert folder.result() is not None


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["result.json", "model.safetensors"])
def test_damaged_results_are_told_and_following_the_message_helps(
    name: str, damage: Callable[[Path], None], tmp_path: Path
) -> None:
    run(spec("dense"), bench(tmp_path))
    run(spec("omp"), bench(tmp_path / "whole"))
    file = tmp_path / spec("dense").key / name
    damage(file)
    with pytest.raises(DataError, match=r"expected .* in .*(move it away|remove the folder .*) and rerun"):
        run(spec("omp"), bench(tmp_path))
    for path in [file] if name == "result.json" else list(file.parent.iterdir()):
        path.unlink()
    run(spec("omp"), bench(tmp_path))
    assert said(tmp_path / spec("omp").key) == said(tmp_path / "whole" / spec("omp").key)


@pytest.mark.parametrize("content", [b"[]", b"3", b'"done"', b"\xff\xfe\x00{"])
def test_json_that_is_no_result_is_refused(content: bytes, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write("result.json", content)
    with pytest.raises(DataError, match=r"expected .*result\.json"):
        folder.result()


def test_a_checkpoint_that_is_no_dictionary_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "state.pt")
    with pytest.raises(DataError, match="got a list; move it away and rerun"):
        RunFolder(tmp_path).load_state()


def test_a_failed_write_leaves_the_old_file_and_nothing_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.write("a.txt", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gossamer.bench.store.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write("a.txt", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"old")]


HOLD = """
import sys
from pathlib import Path
from gossamer.bench.store import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_holds_across_processes_and_dies_with_its_process(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(StateError, match="another process is training this run"), RunFolder(tmp_path).locked():
        pass
    other.kill()
    other.communicate()
    with RunFolder(tmp_path).locked():
        assert (tmp_path / ".lock").exists()


def test_two_processes_may_write_the_same_file(tmp_path: Path) -> None:
    source = (
        "import sys; from pathlib import Path; from gossamer.bench.store import RunFolder\n"
        "for number in range(200): RunFolder(Path(sys.argv[1])).write('file', sys.argv[2].encode() * 1000)"
    )
    both = [subprocess.Popen([sys.executable, "-c", source, str(tmp_path), letter]) for letter in "ab"]
    assert [one.wait() for one in both] == [0, 0]
    assert (tmp_path / "file").read_bytes() in (b"a" * 1000, b"b" * 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
