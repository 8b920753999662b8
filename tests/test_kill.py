"""SIGKILL to a real process at random moments; the same command goes on and ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
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


def begin(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def checkpoints_of(out: Path, recipe: str) -> list[Path]:
    return list(out.glob(f"*-{recipe}-s*/state.pt"))


def kill_in(words: list[str], out: Path, recipe: str, after: int) -> None:
    """Kill the process with SIGKILL in the phase of this recipe, after so many new checkpoints of it."""
    process = begin(words)
    seen: set[tuple[str, int]] = set()
    before = {(str(path), path.stat().st_mtime_ns) for path in checkpoints_of(out, recipe)}
    while len(seen - before) < after:
        assert process.poll() is None, f"it ended before it could be killed: {process.stdout and process.stdout.read()}"
        for path in checkpoints_of(out, recipe):
            try:
                seen.add((str(path), path.stat().st_mtime_ns))
            except FileNotFoundError:  # removed by the end of the run, between the two calls
                continue
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def finish(words: list[str]) -> str:
    process = begin(words)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "Traceback" not in output
    return output


def undisturbed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command in this process: also what ran before in a process must change nothing."""
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(app, words[1:])
    assert shown.exit_code == 0, shown.output


def results(out: Path) -> dict[str, dict[str, bytes]]:
    return {folder.name: said(folder) for folder in sorted(out.iterdir()) if folder.is_dir()}


PHASES = {"rigl": ["rigl"], "lth": ["dense", "lth"], "dropout": ["set"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_in_the_middle_the_same_command_ends_with_the_same_bytes(
    name: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(name)  # moments that differ between the phases, and are the same in every call of the suite
    undisturbed(command(name, images, tmp_path / "undisturbed"), monkeypatch)
    words = command(name, images, tmp_path / "killed")
    for phase in PHASES[name]:
        kill_in(words, tmp_path / "killed", phase, draw.randint(1, 20))
        assert not list((tmp_path / "killed").glob(f"*-{name}-s*/result.json"))
    finish(words)
    expected = results(tmp_path / "undisturbed")
    assert results(tmp_path / "killed") == expected
    assert len(expected) == (3 if name == "lth" else 1)  # with the dense run and its first five steps
    assert all({"result.json", "model.safetensors"} <= set(files) for files in expected.values())
    assert not list((tmp_path / "killed").rglob("*.part"))
