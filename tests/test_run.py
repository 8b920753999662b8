"""A run stopped anywhere, by whatever, ends as if nothing had happened."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from gossamer.bench import store
from gossamer.bench.adversarial import Adversarial
from gossamer.bench.data import PRESETS, Augment
from gossamer.bench.data.augment import Crop, Flip
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.place import Bench, environment
from gossamer.bench.prepare import prepare
from gossamer.bench.run import logged, run
from gossamer.bench.settings import TrainSettings
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import DataError, StateError
from tests.workbench import SAID, TRAIN, Counting, Stopped, bench, digits, said, spec

ROUGH = TrainSettings(  # everything that draws, smooths or clips
    epochs=2, batch_size=32, optimizer="adamw", lr=0.01, warmup_epochs=0.5, label_smoothing=0.1, clip_norm=0.5
)
RUNS = {
    "rigl": spec("rigl"),
    "gmp": spec("gmp"),
    "lth": spec("lth", settings={"rounds": "2", "rewind": "2"}),
    "snip_dropout": spec("snip", model="tests.dropout_model:network", train=ROUGH),
    "dense_convnet": spec("dense", model="convnet"),
    "adversarial": spec("rigl", model="convnet", adversarial=Adversarial(train="pgd2", evaluate="pgd2")),
    "corrupted": spec("set", corrupted=Corrupted(severity=3), keep=0.9),
    "logged": spec("dense", log=True),
}


def ready(name: str, out: Path, **changes: Any) -> Bench:
    """A bench with the images of this run."""
    return prepare(RUNS[name], bench(out, **changes)).bench


@pytest.fixture(autouse=True)
def _augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "digits", Augment((Crop(1), Flip())))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run's folder when nothing happens, and how many steps it makes with those of its dense network."""

    @cache
    def undisturbed(name: str) -> tuple[Path, int]:
        out, counting = tmp_path_factory.mktemp(name), Counting()
        run(RUNS[name], ready(name, out, watch=counting))
        return out / RUNS[name].key, counting.steps

    return undisturbed


def test_a_run_says_all_that_is_promised(undisturbed: Any) -> None:
    folder, steps = undisturbed("rigl")
    assert set(said(folder)) == set(SAID)
    assert {"spec.json", "env.json", "timing.json"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "state.pt").exists()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["step"], line["round"]) for line in lines] == [(1, 3, 0), (2, 6, 0)]
    assert json.loads((folder / "result.json").read_text())["test_accuracy"] == lines[-1]["test_accuracy"]
    assert steps == 6


@pytest.mark.parametrize("name", RUNS)
def test_stopped_at_every_step_it_ends_with_the_same_bytes(name: str, tmp_path: Path, undisturbed: Any) -> None:
    expected, steps = undisturbed(name)
    for stop in range(1, steps + 1):
        out = tmp_path / str(stop)
        with pytest.raises(Stopped):
            run(RUNS[name], ready(name, out, watch=Counting(stop), checkpoint_seconds=0))
        torch.rand(stop)  # another process is elsewhere in torch's own stream
        rest = Counting()
        run(RUNS[name], ready(name, out, watch=rest))
        assert said(out / RUNS[name].key) == said(expected)
        assert rest.steps <= steps - stop + 1  # goes on, does not begin again


def test_outputs_are_kept_after_each_epoch(tmp_path: Path, undisturbed: Any) -> None:
    folder, _ = undisturbed("logged")
    assert [path.name for path in sorted(folder.glob("logits-*"))] == [
        "logits-0001.safetensors",
        "logits-0002.safetensors",
    ]
    outputs = logged(RUNS["logged"], bench(folder.parent))
    assert (outputs.shape, outputs.dtype) == ((2, 96, 10), torch.float32)
    plain = spec("dense")
    run(plain, bench(tmp_path))
    assert not list((tmp_path / plain.key).glob("logits-*"))
    names = ("result.json", "metrics.jsonl", "model.safetensors")  # looking changes nothing
    assert all(said(tmp_path / plain.key)[name] == said(folder)[name] for name in names)


def test_stopped_again_and_again_after_each_step_it_ends_with_the_same_bytes(tmp_path: Path, undisturbed: Any) -> None:
    expected, steps = undisturbed("lth")
    for _ in range(steps):
        try:
            run(RUNS["lth"], bench(tmp_path, watch=Counting(2), checkpoint_seconds=0))
        except Stopped:
            continue
        break
    assert said(tmp_path / RUNS["lth"].key) == said(expected)


@pytest.mark.parametrize(("name", "every"), [("rigl", 1), ("lth", 4), ("logged", 1)])
def test_failing_at_every_write_it_ends_with_the_same_bytes(
    name: str, every: int, tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, steps = undisturbed(name)
    replace, number = os.replace, 0
    while True:
        number += every
        out, left = tmp_path / str(number), [number]

        def failing(source: Any, target: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(28, "No space left on device", str(target))
            replace(source, target)

        monkeypatch.setattr(store.os, "replace", failing)
        try:
            run(RUNS[name], bench(out, checkpoint_seconds=0))
        except OSError:
            monkeypatch.setattr(store.os, "replace", replace)
            run(RUNS[name], bench(out))
            assert said(out / RUNS[name].key) == said(expected)
            assert not list(out.rglob("*.part"))
            continue
        break
    assert number > steps  # each checkpoint was one of them


@pytest.mark.parametrize("file", ["model.safetensors", "report.txt", "timing.json", "result.json"])
def test_failing_at_the_very_end_no_training_is_lost(
    file: str, tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunFolder.write

    def failing(folder: RunFolder, name: str, content: bytes) -> None:
        if name == file:
            raise OSError(28, "No space left on device", name)
        write(folder, name, content)

    monkeypatch.setattr(RunFolder, "write", failing)
    with pytest.raises(OSError, match="No space left"):
        run(RUNS["rigl"], bench(tmp_path, checkpoint_seconds=0))
    monkeypatch.setattr(RunFolder, "write", write)
    again = Counting()
    run(RUNS["rigl"], bench(tmp_path, watch=again))
    assert again.steps == 0
    assert said(tmp_path / RUNS["rigl"].key) == said(undisturbed("rigl")[0])


def test_a_finished_run_returns_at_once(tmp_path: Path) -> None:
    first, counting = run(RUNS["rigl"], bench(tmp_path)), Counting()
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(RUNS["rigl"], bench(tmp_path, watch=counting)) == first
    assert (counting.steps, counting.started) == (0, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == files


@pytest.mark.parametrize("name", ["rigl", "snip_dropout"])
def test_what_ran_before_in_the_process_changes_nothing(name: str, tmp_path: Path, undisturbed: Any) -> None:
    torch.manual_seed(987)
    run(RUNS[name], bench(tmp_path))
    assert said(tmp_path / RUNS[name].key) == said(undisturbed(name)[0])


def test_two_processes_never_train_the_same_run(tmp_path: Path) -> None:
    free = pytest.raises(StateError, match=r"expected .* to be free, but another process .* wait .*--out")
    with RunFolder(tmp_path / RUNS["rigl"].key).locked(), free:
        run(RUNS["rigl"], bench(tmp_path))
    run(RUNS["rigl"], bench(tmp_path))


def test_a_loss_that_is_no_number_says_what_to_do(tmp_path: Path) -> None:
    wild = spec("dense", train=TrainSettings(epochs=2, batch_size=32, lr=1e6))
    with pytest.raises(StateError, match=r"expected a finite loss, got nan in epoch \d; lower lr \(now 1e\+06\)"):
        run(wild, bench(tmp_path))
    assert not (tmp_path / wild.key / "result.json").exists()


def test_a_network_that_diverges_in_its_last_step_is_no_result(tmp_path: Path) -> None:
    wild = spec("dense", train=TrainSettings(epochs=1, batch_size=96, lr=1e30))  # one step, whose loss is finite
    with pytest.raises(StateError, match="expected a finite loss"):
        run(wild, bench(tmp_path))


def stopped(each: RunSpec, place: Bench) -> Path:
    """The checkpoint of a run stopped in the middle."""
    with pytest.raises(Stopped):
        run(each, place)
    return place.out / each.key / "state.pt"


STRANGERS = {
    "another model": ("rigl", spec("rigl", model="tests.dropout_model:network"), "checkpoint of this model"),
    "dense": ("rigl", spec("dense"), "checkpoint of this method"),
    "another step-wise method": ("rigl", spec("mest", settings={"stop": "1"}), "method"),
    "another setting": ("rigl", spec("rigl", settings={"every": "1", "stop": "1", "fraction": "0.1"}), "fraction"),
    "another sparsity": ("rigl", spec("rigl", sparsity=0.8), "sparsity"),
    "another seed": ("rigl", spec("rigl", seed=1), "seed"),
    "another seed, dense": ("dense", spec("dense", seed=1), "seed|run"),
    "other masks at initialisation": ("snip", spec("magnitude"), "method|run"),
    "another optimizer": ("dense", spec("dense", train=ROUGH), "optimizer|run"),
    "more rounds": ("lth", spec("lth", settings={"rounds": "2"}), "round|run"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_checkpoint_of_another_run_is_refused(case: str, tmp_path: Path) -> None:
    recipe, other, words = STRANGERS[case]
    mine = spec(recipe, sparsity=0.0 if recipe == "dense" else 0.9)
    steps = 14 if case == "more rounds" else 4  # 6 dense, 6 of the first round
    state = stopped(other, bench(tmp_path / "other", watch=Counting(steps), checkpoint_seconds=0))
    folder = tmp_path / mine.key
    folder.mkdir()
    (folder / "state.pt").write_bytes(state.read_bytes())
    with pytest.raises((StateError, DataError), match=words) as refused:
        run(mine, bench(tmp_path))
    assert "expected" in str(refused.value)


@pytest.mark.parametrize("content", [{"a": 1}, {"round": 0}, [1, 2]])
def test_a_file_of_torch_that_is_no_checkpoint_is_refused(content: Any, tmp_path: Path) -> None:
    folder = tmp_path / RUNS["rigl"].key
    folder.mkdir()
    torch.save(content, folder / "state.pt")
    with pytest.raises(DataError, match=r"expected a checkpoint in .*state\.pt.*move it away and rerun"):
        run(RUNS["rigl"], bench(tmp_path))


def test_a_rewinding_point_without_its_optimizer_is_explained(tmp_path: Path) -> None:
    ticket = spec("lth", settings={"rewind": "2"})
    run(ticket, bench(tmp_path))
    (early,) = [path.parent for path in tmp_path.glob("*/state.pt")]
    (early / "state.pt").unlink()
    (tmp_path / ticket.key / "result.json").unlink()
    with pytest.raises(DataError, match=r"expected .*state"):
        run(ticket, bench(tmp_path))


def test_nothing_aside_is_left_by_an_earlier_death(tmp_path: Path) -> None:
    folder = tmp_path / RUNS["rigl"].key
    folder.mkdir()
    (folder / ".state.pt.part").write_bytes(b"half a checkp")  # SIGKILL in the middle of writing it
    run(RUNS["rigl"], bench(tmp_path))
    assert not list(folder.glob(".*.part"))


def test_the_environment_is_told_in_plain_words() -> None:
    told = environment(torch.device("cpu"))
    assert json.loads(json.dumps(told)) == told
    assert told["torch"] == torch.__version__
    assert told["threads"] == torch.get_num_threads()


def test_a_batch_of_a_single_image_is_left_out_and_counted_so(tmp_path: Path) -> None:
    odd = digits(train=65)
    result = run(spec("dense", model="convnet", data=odd, train=TRAIN), bench(tmp_path, odd))
    assert result["steps"] == 4
