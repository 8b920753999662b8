"""Settings of a training: presets with their sources, ranges, and how they are given as text."""

from dataclasses import fields
from typing import Any

import pytest

from gossamer.bench.models import MODELS
from gossamer.bench.session import method_settings, train_settings
from gossamer.bench.settings import PRESETS, TrainSettings, preset
from gossamer.core.errors import SettingError, UnknownNameError


def test_every_model_has_a_preset_and_a_users_own_has_p1s() -> None:
    assert set(PRESETS) == set(MODELS)
    p1 = preset("mine:net")
    assert (p1.epochs, p1.batch_size, p1.lr, p1.momentum, p1.nesterov) == (200, 128, 0.1, 0.9, True)
    assert (p1.weight_decay, p1.decay, p1.schedule, p1.milestones, p1.gamma) == (
        5e-4, "all", "multistep", (0.5, 0.75), 0.1
    )  # fmt: skip
    assert preset("resnet18") == p1 == TrainSettings()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "expected epochs ≥ 1, got 0; raise it"),
        ({"batch_size": 0}, "expected batch_size ≥ 1, got 0"),
        ({"weight_decay": -1.0}, "expected weight_decay ≥ 0.0, got -1.0"),
        ({"weight_decay": float("nan")}, "expected weight_decay ≥ 0.0, got nan"),
        ({"warmup_epochs": -1.0}, "expected warmup_epochs ≥ 0.0"),
        ({"lr": 0.0}, "expected lr > 0, got 0.0"),
        ({"lr": float("inf")}, "expected lr > 0, got inf"),
        ({"lr": float("nan")}, "expected lr > 0, got nan"),
        ({"gamma": 0.0}, "expected gamma > 0"),
        ({"clip_norm": 0.0}, "expected clip_norm > 0"),
        ({"initial_scale": -1.0}, "expected initial_scale > 0"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"momentum": -0.1}, "momentum"),
        ({"milestones": (0.5, 1.5)}, "milestones"),
        ({"momentum": 0.0}, "expected momentum > 0 with nesterov, got 0; pass nesterov=False"),
        ({"optimizer": "lion"}, r"expected optimizer to be one of \('sgd', 'adamw'\), got 'lion'"),
        ({"schedule": "step"}, "expected schedule to be one of"),
        ({"precision": "fp16"}, "expected precision to be one of"),
        ({"decay": "none"}, "expected decay to be one of"),
        ({"initial": "zero"}, "expected initial to be one of"),
        ({"initial_fan": "sum"}, "expected initial_fan to be one of"),
        ({"initial_law": "cauchy"}, "expected initial_law to be one of"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"warmup_epochs": float("inf")}, "warmup_epochs"),
    ],
)
def test_settings_outside_their_ranges_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        TrainSettings(**changes)


def test_they_are_given_by_options_and_as_text_and_options_win() -> None:
    given = train_settings(
        "lenet5",
        {"epochs": 3, "lr": None, "batch_size": 64},
        ["epochs=9", "milestones=0.25+0.5", "clip_norm=1", "augment=no", "optimizer=adamw", "warmup_epochs=0.5"],
    )
    assert (given.epochs, given.batch_size, given.lr) == (3, 64, 0.05)
    assert (given.milestones, given.clip_norm, given.augment) == ((0.25, 0.5), 1.0, False)
    assert (given.optimizer, given.warmup_epochs) == ("adamw", 0.5)
    assert train_settings("lenet5", {}, ["clip_norm=none", "milestones="]).milestones == ()
    assert train_settings("lenet5", {"epochs": None}, []) == preset("lenet5")


@pytest.mark.parametrize("name", [field.name for field in fields(TrainSettings)])
def test_every_setting_may_be_given_as_text(name: str) -> None:
    value = getattr(preset("convnet"), name)
    text = "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
    assert train_settings("convnet", {}, [f"{name}={text}"]) == preset("convnet")


def test_text_that_is_no_setting_is_refused() -> None:
    with pytest.raises(SettingError, match="expected --train NAME=VALUE, got 'epochs'"):
        train_settings("lenet5", {}, ["epochs"])
    with pytest.raises(UnknownNameError, match="unknown setting of TrainSettings 'epoch'; did you mean 'epochs'"):
        train_settings("lenet5", {}, ["epoch=1"])
    with pytest.raises(SettingError, match=r"expected TrainSettings.epochs to be int, got '1.5'"):
        train_settings("lenet5", {}, ["epochs=1.5"])


def test_settings_of_methods_are_sorted_by_method() -> None:
    given = method_settings(["set", "rigl"], ["rigl.every=20", "set.fraction = 0.5", "rigl.stop=1"])
    assert given["rigl"].items() >= {"every": "20", "stop": "1"}.items()
    assert given["set"]["fraction"] in ("0.5", "0.50")
    with pytest.raises(SettingError, match=r"expected --set METHOD.NAME=VALUE, such as rigl.every=20, got 'every=3'"):
        method_settings(["rigl"], ["every=3"])
    with pytest.raises(UnknownNameError, match="unknown method in --set 'rgl'; did you mean 'rigl'"):
        method_settings(["rigl"], ["rgl.every=3"])
