"""A trained network from a run's folder or a file of weights, and what is said of files that are none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gossamer.bench.data import load
from gossamer.bench.evaluate import evaluate
from gossamer.bench.models import build
from gossamer.bench.place import Bench
from gossamer.bench.run import run
from gossamer.bench.samples import Samples
from gossamer.bench.settings import TrainSettings
from gossamer.bench.subject import Subject, subject
from gossamer.bench.weights import unwrapped
from gossamer.core.errors import DataError, MissingError, SettingError
from tests.workbench import spec

CPU = torch.device("cpu")
TRAIN = TrainSettings(epochs=1, lr=0.05)


def trained(out: Path, recipe: str = "dense", **changes: Any) -> Path:
    """A run's folder, on all the digits."""
    data = load("digits")
    each = spec(recipe, data=data, train=TRAIN, **changes)
    run(each, Bench(data, out))
    return out / each.key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs"))


def found(checkpoint: Path, **changes: Any) -> Subject:
    given = {"data": None, "folder": None, "model": None, "device": CPU, **changes}
    return subject(checkpoint, **given)


def accuracy(each: Subject) -> float:
    samples = Samples(each.data.test_images, each.data.test_labels)
    return evaluate(each.model, samples, TRAIN)["accuracy"]


@pytest.mark.parametrize("recipe", ["dense", "set", "small_dense"])
def test_a_runs_network_answers_as_the_run_said(recipe: str, tmp_path: Path) -> None:
    place = trained(tmp_path, recipe)
    each = found(place)
    assert accuracy(each) == json.loads((place / "result.json").read_text())["test_accuracy"]
    assert not each.model.training
    assert each.name == f"mlp300, {recipe}" + ("" if recipe == "dense" else " at 0.9")
    assert (each.place, each.data.label) == (place / "model.safetensors", "Digits")


def test_a_network_of_a_users_own_is_found_by_its_run(tmp_path: Path) -> None:
    place = trained(tmp_path, "set", model="tests.dropout_model:network")
    assert accuracy(found(place)) == json.loads((place / "result.json").read_text())["test_accuracy"]


def test_the_file_in_the_folder_is_the_same_network(folder: Path) -> None:
    assert found(folder / "model.safetensors").digest == found(folder).digest


@pytest.mark.parametrize("name", ["own.safetensors", "own.pt"])
def test_weights_alone_need_their_data_and_their_network(name: str, folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(weights, tmp_path / name) if name.endswith("safetensors") else torch.save(weights, tmp_path / name)
    words = r"own\.\w+ lies in no run's folder, so name both: --data NAME --model NAME"
    for given in ({}, {"data": "digits"}, {"model": "mlp300"}):
        with pytest.raises(SettingError, match=words):
            found(tmp_path / name, **given)
    each = found(tmp_path / name, data="digits", model="mlp300")
    assert accuracy(each) == accuracy(found(folder))
    assert each.name == f"mlp300, {name}"


def test_building_leaves_torchs_random_state(folder: Path) -> None:
    before = torch.get_rng_state()
    found(folder)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["", "none.pt", "none"])
def test_what_is_not_there_is_told(name: str, tmp_path: Path) -> None:
    words = r"no such file; expected the folder of a finished run, or a file of weights \(.safetensors, .pt\)"
    with pytest.raises(MissingError, match=words):
        found(tmp_path / name)


def test_a_network_without_its_normalisation_is_refused(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    bare = {name: value for name, value in weights.items() if not name.startswith("normalize.")}
    assert len(bare) < len(weights)
    save_file(bare, tmp_path / "bare.safetensors")
    words = (
        r"expected the normalisation of the inputs among the weights \(normalize.mean, normalize.std\), but it is no"
    )
    with pytest.raises(DataError, match=words) as refused:
        found(tmp_path / "bare.safetensors", data="digits", model="mlp300")
    assert "build(normalize=...) does) and save it again" in str(refused.value)


def test_weights_of_another_network_or_other_data_are_refused(folder: Path, tmp_path: Path) -> None:
    words = r"expected the weights of convnet for Digits, but \d+ names or shapes differ, such as [\w.]+; name the ne"
    with pytest.raises(DataError, match=words):
        found(folder, model="convnet")
    wide = build("mlp300", num_classes=10, image_size=28, channels=1, normalize=([0.5], [0.5]))
    save_file(wide.state_dict(), tmp_path / "wide.safetensors")
    with pytest.raises(DataError, match=r"but 1 names or shapes differ, such as fc1.weight"):
        found(tmp_path / "wide.safetensors", data="digits", model="mlp300")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_a_wrapped_network_is_the_same_network(prefix: str, folder: Path, tmp_path: Path) -> None:
    weights = {f"{prefix}{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    torch.save(weights, tmp_path / "wrapped.pt")
    assert accuracy(found(tmp_path / "wrapped.pt", data="digits", model="mlp300")) == accuracy(found(folder))


def test_only_the_wrappers_own_name_is_taken_away() -> None:
    one = torch.zeros(1)
    assert unwrapped({"module.a": one, "b": one}, ["a", "b"]) == {"module.a": one, "b": one}
    assert unwrapped({"module.a": one}, ["module.a"]) == {"module.a": one}  # a part of the network's own
    assert unwrapped({"module.module.a": one}, ["module.a"]) == {"module.a": one}
    assert unwrapped({}, ["a"]) == {}


def test_another_network_without_normalisation_is_told_as_another_network(tmp_path: Path) -> None:
    bare = build("lenet5", num_classes=10, image_size=32, channels=1)
    torch.save(bare.state_dict(), tmp_path / "bare.pt")
    with pytest.raises(DataError, match=r"expected the weights of mlp300 for Digits, but \d+ names or shapes differ"):
        found(tmp_path / "bare.pt", data="digits", model="mlp300")


CONTENTS: dict[str, tuple[str, Any]] = {
    "no safetensors": ("a.safetensors", b"not weights"),
    "no pickle": ("a.pt", b"not weights"),
    "code": ("a.pt", {"model": Path("x")}),
    "nothing": ("a.pt", b""),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_files_that_hold_no_weights_are_refused(case: str, tmp_path: Path) -> None:
    name, content = CONTENTS[case]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        torch.save(content, tmp_path / name)
    with pytest.raises(
        DataError, match=rf"{name}: expected weights, got something else \(\w+\); save them with torch.save\(mod"
    ):
        found(tmp_path / name, data="digits", model="mlp300")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(1)], r"got a list of something else; save model.state_dict\(\) alone"),
        ({}, r"got a dict of something else; save model.state_dict\(\) alone"),
        ({"epoch": 3}, r"got a dict of something else; save model.state_dict\(\) alone"),
        ({"state": {"a": torch.zeros(1)}}, r"one under its key 'state'; pass the state dict inside: torch.save\(torch"),
    ],
)
def test_a_file_of_torch_that_is_no_state_dict_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DataError, match=f"expected a state dict of tensors, .*{words}"):
        found(tmp_path / "a.pt", data="digits", model="mlp300")


def copied(folder: Path, to: Path, description: str | None) -> Path:
    to.mkdir()
    (to / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    if description is not None:
        (to / "spec.json").write_text(description)
    return to


@pytest.mark.parametrize("content", ["{half", "\x00"])
def test_a_damaged_description_is_refused(content: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"spec.json: expected a run's description, got something else \("):
        found(copied(folder, tmp_path / "run", content))


@pytest.mark.parametrize("content", ["[1]", '"a"', '{"model": "mlp300"}'])
def test_a_description_of_something_else_is_refused(content: str, folder: Path, tmp_path: Path) -> None:
    words = "spec.json: expected a run's description, got something else; name --data and --model, and move it"
    with pytest.raises(DataError, match=words):
        found(copied(folder, tmp_path / "run", content))


def test_a_data_set_that_has_changed_since_is_refused_unless_named(folder: Path, tmp_path: Path) -> None:
    changed = json.loads((folder / "spec.json").read_text()) | {"fingerprint": "0" * 64}
    place = copied(folder, tmp_path / "run", json.dumps(changed))
    words = "trained on, but Digits has another content now; name the right one with --data and --folder"
    with pytest.raises(DataError, match=words):
        found(place)
    assert accuracy(found(place, data="digits")) == accuracy(found(folder))


def test_data_that_was_loaded_by_its_path_is_asked_for(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("test", 4)):
        for number in range(count):
            file = tmp_path / "faces" / split / "ab"[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.frombytes("L", (8, 8), bytes(range(number, number + 64))).save(file)
    data = load(str(tmp_path / "faces"))
    each = spec("dense", data=data, train=TRAIN)
    each = type(each)(**{**vars(each), "data": "faces"})
    run(each, Bench(data, tmp_path / "runs"))
    place = tmp_path / "runs" / each.key
    words = r"was trained on 'faces', which is no data set known by name; give its path with --data"
    with pytest.raises(MissingError, match=words):
        found(place)
    assert (
        accuracy(found(place, data=str(tmp_path / "faces")))
        == json.loads((place / "result.json").read_text())["test_accuracy"]
    )


def test_a_run_that_is_not_finished_has_no_network_yet(tmp_path: Path, folder: Path) -> None:
    place = copied(folder, tmp_path / "run", (folder / "spec.json").read_text())
    (place / "model.safetensors").unlink()
    with pytest.raises(MissingError, match=r"model.safetensors: no such file; expected the folder of a finished run"):
        found(place)
