"""SIGKILL to a real process at random moments; the same command goes on and ends with the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
    "convnet": (
        "train --data DATA --model convnet --method rigl --sparsity 0.8 --set every=1 --epochs 14 --corrupt-train p1 "
        "--adversarial pgd2:step=4/255 --eval-attack pgd2:step=4/255 --keep 0.9"
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
    kill_after(copies, words, lambda: checkpoints_of(out, recipe), after)


def kill_after(copies: Copies, words: list[str], files: Callable[[], list[Path]], after: int) -> None:
    """Kill the process with SIGKILL as soon as these files have been written anew so many times."""
    before = states(files())
    seen = set(before)
    process = copies.begin(words)
    while len(seen - before) < after:
        if not Path(f"/proc/{process}").exists():
            copies.wait()
            pytest.fail(f"it ended before it could be killed: {copies.log.read_text()}")
        seen |= states(files())
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    assert copies.wait() == -signal.SIGKILL


def states(files: list[Path]) -> set[tuple[str, int]]:
    found = set()
    for path in files:
        with suppress(FileNotFoundError):  # removed by the end of the run, between the two calls
            found.add((str(path), path.stat().st_mtime_ns))
    return found


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


PHASES = {
    "rigl": ["rigl", "rigl"], "lth": ["dense", "lth", "lth"], "dropout": ["set", "set"], "convnet": ["rigl", "rigl"]
}  # fmt: skip


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


SCORE = (
    "score --data digits --model mlp300 --scores el2n,forgetting --epochs 2 --batch-size 16 --score-models 2 --keep 0.3"
)


OWN = ("env.json", "timing.json", "state.pt", ".lock")  # these tell where and how long it ran


def written(folder: Path) -> dict[str, bytes]:
    """All else that a command leaves."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in OWN)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_scores_killed_in_every_network_end_with_the_same_bytes(
    tmp_path: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(out: str) -> list[str]:
        return [str(GOSSAMER), *SCORE.split(), *COMMON, "--out", str(tmp_path / out)]

    undisturbed(words("undisturbed"), monkeypatch)
    killed, draw = tmp_path / "killed", random.Random("score")
    for seed in (1000, 1001, 1000, 1001):  # after an epoch for one score, over both for the other
        kill_after(
            copies, words("killed"), lambda seed=seed: list(killed.glob(f"*-seed{seed}-*/state.pt")), draw.randint(1, 3)
        )
        assert not list(killed.glob("scores-*"))
    finish(copies, words("killed"))
    expected = written(tmp_path / "undisturbed")
    assert written(killed) == expected
    assert sum(name.endswith("scores.npz") for name in expected) == 1
    assert sum("logits-" in name for name in expected) == 4
    assert not list(killed.rglob("*.part"))


@pytest.mark.parametrize("layout", ["cifar-c", "folders"])
def test_a_corrupted_set_killed_in_the_middle_ends_with_the_same_bytes(
    layout: str, tmp_path: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = layout == "cifar-c"
    split, severities, parts = ("train", "1,2,3,4,5,6", "*.npy*") if arrays else ("test", "2,5,6", "*/*")

    def words(to: str) -> list[str]:
        settings = f"--kinds snow,glass_blur,elastic_transform --severities {severities} --split {split} --threads 1"
        return [str(GOSSAMER), "corrupt", *settings.split(), "--layout", layout, "--to", str(tmp_path / to)]

    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(app, words("undisturbed")[1:]).exit_code == 0
    killed = tmp_path / "killed"
    for after in (1, 3, 4):
        kill_after(copies, words("killed"), lambda: list(killed.glob(parts)), after)
    finish(copies, words("killed"))
    expected = written(tmp_path / "undisturbed")
    assert written(killed) == expected
    assert len(expected) == (3 + 2 if arrays else 3 * 3 * 359 + 1)  # with labels.npy and set.json
    assert not list(killed.rglob("*.part"))
    assert not list(killed.rglob("*.done"))


def test_an_evaluation_killed_goes_on_with_the_next_number(
    tmp_path: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = "train --data digits --model mlp300 --method dense --epochs 1 --device cpu --threads 1"
    monkeypatch.chdir(ROOT)
    places = []
    for name in ("undisturbed", "killed"):
        assert CliRunner().invoke(app, [*train.split(), "--out", str(tmp_path / name)]).exit_code == 0
        places += list((tmp_path / name).iterdir())
    kinds = "gaussian_noise,impulse_noise,fog,pixelate,contrast,brightness,gaussian_blur,speckle_noise"
    more = f"--corruptions {kinds} --attack pgd5 --attack pgd4:restarts=2 --device cpu --threads 1"
    assert CliRunner().invoke(app, ["evaluate", str(places[0]), *more.split()]).exit_code == 0
    words = [str(GOSSAMER), "evaluate", str(places[1]), *more.split()]
    record, counts = places[1] / "model.evaluation.json", []
    for after in (3, 10, 15):
        kill_after(copies, words, lambda: [record], after)
        counts.append(len(json.loads(record.read_bytes())["found"]))
    assert counts[0] >= 3
    assert counts[1] >= counts[0] + 9  # the one before the kill may be lost, no others
    assert counts[2] >= counts[1] + 14
    finish(copies, words)
    expected = json.loads((places[0] / "model.evaluation.json").read_bytes())
    assert json.loads(record.read_bytes()) == expected
    assert len(expected["found"]) == 1 + 8 * 5 + 2


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
