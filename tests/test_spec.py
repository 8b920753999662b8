"""A run's description: its key is made of all that decides its result."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest

from gossamer.attack import PGD
from gossamer.bench.adversarial import Adversarial
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.settings import TrainSettings
from gossamer.bench.spec import SCHEMA, Origin, RunSpec
from gossamer.bench.trace import Trace
from gossamer.core.errors import SettingError

TRAIN = TrainSettings()
SPEC = RunSpec(data="digits", fingerprint="ab", model="convnet", recipe="rigl", sparsity=0.5, train=TRAIN)
OTHERS: dict[str, Any] = {
    "data": "mnist", "code": "ef", "fingerprint": "cd",
    "model": "lenet5", "recipe": "set", "sparsity": 0.6, "seed": 1, "stop": 3,
    "settings": {"every": "3"}, "train": replace(TRAIN, lr=0.2), "hard": Hard(),
    "keep": 0.3, "corrupted": Corrupted(), "adversarial": Adversarial(), "log": True, "weights_seed": 2,
    "trace": Trace(),
}  # fmt: skip
TRAINS: dict[str, Any] = {
    "epochs": 1, "batch_size": 1, "optimizer": "adamw", "lr": 1.0, "momentum": 0.5, "nesterov": False,
    "weight_decay": 0.0, "decay": "weights", "schedule": "cosine", "milestones": (0.1,), "gamma": 0.2,
    "warmup_epochs": 1.0, "label_smoothing": 0.1, "clip_norm": 1.0, "augment": False, "precision": "bf16",
    "channels_last": True, "compile": True, "initial": "dense", "initial_scale": 1.0, "initial_fan": "out",
    "initial_law": "uniform", "normalize": False, "growth_images": 9,
}  # fmt: skip
TRACES: dict[str, Any] = {"every": 7, "images": 8, "snapshots": (9,)}
HARDS: dict[str, Any] = {
    "score": "grand", "keep": 0.25, "drop": 0.1, "models": 1, "epochs": 4, "per_class": True
}  # fmt: skip
CORRUPTIONS: dict[str, Any] = {
    "kinds": ("fog",), "severity": 4, "family": "imagenet-c", "frost": "procedural", "seed": 1
}  # fmt: skip
ATTACKS: dict[str, Any] = {"train": "pgd9", "evaluate": "fgsm", "images": 9}


@pytest.mark.parametrize("name", [field.name for field in fields(RunSpec)])
def test_every_field_decides_the_key(name: str) -> None:
    assert replace(SPEC, **{name: OTHERS[name]}).key != SPEC.key


OTHERS["origin"] = Origin(run=SPEC)


@pytest.mark.parametrize("name", [field.name for field in fields(Trace)])
def test_every_setting_of_the_trace_decides_the_key(name: str) -> None:
    one = replace(SPEC, trace=Trace())
    assert replace(one, trace=replace(Trace(), **{name: TRACES[name]})).key != one.key


@pytest.mark.parametrize("name", [field.name for field in fields(TrainSettings)])
def test_every_training_setting_decides_the_key(name: str) -> None:
    assert replace(SPEC, train=replace(TRAIN, **{name: TRAINS[name]})).key != SPEC.key


@pytest.mark.parametrize("name", [field.name for field in fields(Hard)])
def test_every_setting_of_the_hard_choice_decides_the_key(name: str) -> None:
    hard = replace(SPEC, hard=Hard())
    assert replace(hard, hard=replace(Hard(), **{name: HARDS[name]})).key != hard.key


@pytest.mark.parametrize("name", [field.name for field in fields(Corrupted)])
def test_every_setting_of_the_corruption_decides_the_key(name: str) -> None:
    one = replace(SPEC, corrupted=Corrupted())
    assert replace(one, corrupted=replace(Corrupted(), **{name: CORRUPTIONS[name]})).key != one.key


@pytest.mark.parametrize("name", [field.name for field in fields(Adversarial)])
def test_every_setting_of_the_attacks_decides_the_key(name: str) -> None:
    one = replace(SPEC, adversarial=Adversarial())
    assert replace(one, adversarial=replace(Adversarial(), **{name: ATTACKS[name]})).key != one.key


def test_what_frost_is_made_of_decides_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    for source in ("photographs (imagecorruptions)", "procedural"):
        monkeypatch.setattr("gossamer.bench.difficulty.frost_source", lambda frost, source=source: source)
        keys.append([replace(SPEC, corrupted=Corrupted(kinds=kinds)).key for kinds in (("frost",), ("fog",))])
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] == keys[1][1]


def test_a_default_of_an_attack_that_changes_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(SPEC, adversarial=Adversarial())
    assert "eps=0.0313" in one.resolved()["attacks"][0]
    before = one.key
    monkeypatch.setattr("gossamer.bench.adversarial.named", lambda text: PGD(eps=0.5))
    assert one.key != before


def test_equal_descriptions_have_equal_keys_in_any_process() -> None:
    one = replace(SPEC, settings={"a": "1", "b": "2"}, hard=Hard())
    assert one.key == replace(SPEC, settings={"b": "2", "a": "1"}, hard=Hard()).key
    source = (
        "from gossamer.bench.settings import TrainSettings; from gossamer.bench.spec import RunSpec;"
        "print(RunSpec(data='digits', fingerprint='ab', model='convnet', recipe='rigl', sparsity=0.5,"
        "train=TrainSettings()).key)"
    )
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert told == f"{SPEC.key}\n"


def test_a_whole_number_and_its_float_are_the_same_setting() -> None:
    assert replace(SPEC, train=replace(TRAIN, lr=1)).key == replace(SPEC, train=replace(TRAIN, lr=1.0)).key


def test_the_key_is_readable_and_fit_for_a_folder() -> None:
    assert SPEC.key.startswith("digits-convnet-rigl-s0.5-seed0-")
    odd = replace(SPEC, data="../../my data/faces: α", model="pack.age.module:factory")
    assert not set(odd.key) & set('/\\:*?"<>| ')
    assert len(replace(SPEC, data="x" * 500, model="y" * 500).key) < 200


def test_all_fields_resolve_to_plain_values() -> None:
    hard = {"hard": Hard(), "corrupted": Corrupted(), "adversarial": Adversarial()}
    told = replace(SPEC, **hard, settings={"every": "3"}).resolved()
    assert told["schema"] == SCHEMA
    assert json.loads(json.dumps(told))["train"]["lr"] == 0.1
    names = {field.name for field in fields(RunSpec)} | {"schema"}
    assert set(told) == names | {"frost", "attacks"}
    assert set(SPEC.resolved()) == names


@pytest.mark.parametrize("sparsity", [1.0, 90, -0.1, float("nan")])
def test_a_sparsity_outside_its_range_is_refused(sparsity: float) -> None:
    with pytest.raises(SettingError, match=r"\[0, 1\)"):
        replace(SPEC, sparsity=sparsity)


def test_ninety_percent_is_told_how_to_be_written() -> None:
    with pytest.raises(SettingError, match=r"0\.9\b"):
        replace(SPEC, sparsity=90)


def test_other_refusals() -> None:
    with pytest.raises(SettingError, match=r"expected a seed of 0 or more, got -1"):
        replace(SPEC, seed=-1)
    with pytest.raises(SettingError, match=r"expected keep in \(0, 1\], got 2.0; 0.5 keeps the hardest half"):
        Hard(keep=2.0)
    with pytest.raises(SettingError, match=r"at least 1 model and 1 epoch, got 3 and 0"):
        Hard(epochs=0)


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.01, 30, float("nan")])
def test_a_random_share_outside_its_range_is_refused(keep: float) -> None:
    with pytest.raises(SettingError, match=rf"expected keep in \(0, 1\], got {keep}; 0.3 keeps 30 % of the training"):
        replace(SPEC, keep=keep)


@pytest.mark.parametrize(
    "text", ["el2n", "el2n:", ":0.5", "el2n:half", "el2n:0.5:1", "el2n=0.5", "", "el2n:1e", "el2n:--"]
)
def test_a_malformed_choice_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"expected --hard SCORE:SHARE, such as el2n:0.5, got "):
        Hard.parse(text)


@pytest.mark.parametrize(("text", "keep"), [("el2n:0.5", 0.5), ("el2n:1", 1.0), ("el2n:.25", 0.25), ("el2n:5e-1", 0.5)])
def test_a_choice_is_read(text: str, keep: float) -> None:
    assert Hard.parse(text, models=2) == Hard(keep=keep, models=2)
