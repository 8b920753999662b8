"""SIGKILL to a real process at random moments; the same command goes on and ends with the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gossamer.cli import app
from tests.workbench import said

ROOT = Path(__file__).parents[1]
GOSSAMER = Path(sys.executable).parent / "gossamer"
COMMON = ("--threads", "1", "--checkpoint-seconds", "0", "--device", "cpu")
COMMANDS = {
    "rigl": "train --data digits --model mlp300 --method rigl --sparsity 0.9 --set every=2 --epochs 3",
    "lth": "train --data digits --model mlp300 --method lth --sparsity 0.9 --set rounds=2 --set rewind=5 --epochs 2",
    "dropout": (
        "train --data DATA --model tests.dropout_model:network --method set --sparsity 0.8 --epochs 6 --lr 0.01 "
        "--train optimizer=adamw --train clip_norm=0.5 --train label_smoothing=0.1 --train warmup_epochs=1"
    ),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image folder called cifar10, whose preset augments with crops and flips."""
    from PIL import Image

    folder, stream = tmp_path_factory.mktemp("images") / "cifar10", random.Random(0)
    for split, count in (("train", 240), ("test", 20)):
        for number in range(count):
            place = folder / split / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.frombytes("L", (8, 8), stream.randbytes(64)).save(place / f"{number}.png")
    return folder


def command(name: str, images: Path, out: Path) -> list[str]:
    words = [str(images) if word == "DATA" else word for word in COMMANDS[name].split()]
    return [str(GOSSAMER), *words, *COMMON, "--out", str(out)]


# Imports take seconds, so one process does them and is copied for each command; what is killed is a process of its own.
COPIES = """
import json, os, sys
import pydantic, sklearn.datasets, torch._dynamo  # what a run imports only when it needs it
from gossamer.cli import main
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.argv, log = json.loads(line)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        main()
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Copies:
    """Starts commands one after another."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.parent = subprocess.Popen(
            [sys.executable, "-c", COPIES], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, words: list[str]) -> int:
        assert self.parent.stdin is not None
        self.parent.stdin.write(json.dumps([words, str(self.log)]) + "\n")
        self.parent.stdin.flush()
        return self._number()

    def wait(self) -> int:
        return self._number()

    def _number(self) -> int:
        assert self.parent.stdout is not None
        return int(self.parent.stdout.readline())

    def close(self) -> None:
        self.parent.communicate()


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    found = Copies(tmp_path_factory.mktemp("copies") / "log")
    yield found
    found.close()


def checkpoints_of(out: Path, recipe: str) -> list[Path]:
    return list(out.glob(f"*-{recipe}-s*/state.pt"))


def kill_in(copies: Copies, words: list[str], out: Path, recipe: str, after: int) -> None:
    """Kill the process with SIGKILL in the phase of this recipe, after so many new checkpoints of it."""
    before = {(str(path), path.stat().st_mtime_ns) for path in checkpoints_of(out, recipe)}
    seen = set(before)
    process = copies.begin(words)
    while len(seen - before) < after:
        assert Path(f"/proc/{process}").exists(), f"it ended before it could be killed: {copies.log.read_text()}"
        for path in checkpoints_of(out, recipe):
            with suppress(FileNotFoundError):  # removed by the end of the run, between the two calls
                seen.add((str(path), path.stat().st_mtime_ns))
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    assert copies.wait() == -signal.SIGKILL


def finish(copies: Copies, words: list[str]) -> None:
    copies.begin(words)
    assert copies.wait() == 0, copies.log.read_text()
    assert "Traceback" not in copies.log.read_text()


def undisturbed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command in this process: also what ran before in a process must change nothing."""
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(app, [*words[1:], "--checkpoint-seconds", "1000"])  # the last one counts
    assert shown.exit_code == 0, shown.output


def results(out: Path) -> dict[str, dict[str, bytes]]:
    return {folder.name: said(folder) for folder in sorted(out.iterdir()) if folder.is_dir()}


PHASES = {"rigl": ["rigl", "rigl"], "lth": ["dense", "lth", "lth"], "dropout": ["set", "set"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_in_the_middle_the_same_command_ends_with_the_same_bytes(
    name: str, images: Path, tmp_path: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(name)  # moments that differ between the phases, and are the same in every call of the suite
    undisturbed(command(name, images, tmp_path / "undisturbed"), monkeypatch)
    words = command(name, images, tmp_path / "killed")
    for phase in PHASES[name]:
        kill_in(copies, words, tmp_path / "killed", phase, draw.randint(1, 12))
        assert not list((tmp_path / "killed").glob(f"*-{name}-s*/result.json"))
    finish(copies, words)
    expected = results(tmp_path / "undisturbed")
    assert results(tmp_path / "killed") == expected
    assert len(expected) == (3 if name == "lth" else 1)  # with the dense run and its first five steps
    assert all({"result.json", "model.safetensors"} <= set(files) for files in expected.values())
    assert not list((tmp_path / "killed").rglob("*.part"))


def test_the_installed_script_killed_goes_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed(command("rigl", ROOT, tmp_path / "undisturbed"), monkeypatch)
    words, out = command("rigl", ROOT, tmp_path / "killed"), tmp_path / "killed"
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while not checkpoints_of(out, "rigl"):
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    assert results(out) == results(tmp_path / "undisturbed")
