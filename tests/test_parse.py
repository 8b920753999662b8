"""Settings from text: each one there and back, each refusal with its words."""

from typing import Any

import pytest

from gossamer import CLEAN, NM, P1_RELEASED, RIGL_RELEASED, Deviations, RigL
from gossamer.bench.parse import parameters, parse
from gossamer.bench.recipes import RECIPES
from gossamer.core.errors import SettingError, UnknownNameError


def as_text(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return "clean" if value == CLEAN else str(value)


DEFAULTS = [(name, key, value) for name, r in RECIPES.items() for key, value in r.resolve(name, {}).items()]


@pytest.mark.parametrize(("name", "key", "value"), DEFAULTS, ids=[f"{name}.{key}" for name, key, _ in DEFAULTS])
def test_every_setting_of_every_recipe_reads_its_own_default(name: str, key: str, value: Any) -> None:
    assert RECIPES[name].resolve(name, {key: as_text(value)}) == RECIPES[name].resolve(name, {})
    assert RECIPES[name].resolve(name, {key: value}) == RECIPES[name].resolve(name, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({"every": "20"}, 20),
        ({"every": "none"}, None),
        ({"fraction": "1e-1"}, 0.1),
        ({"pattern": "2:4"}, NM(2, 4)),
        ({"pattern": "None"}, None),
        ({"dense": "fc.weight"}, ("fc.weight",)),
        ({"dense": "a+b"}, ("a", "b")),
        ({"dense": ""}, ()),
        ({"deviations": "rigl_released"}, RIGL_RELEASED),
        ({"deviations": "p1_released"}, P1_RELEASED),
        ({"distribution": "uniform"}, "uniform"),
    ],
)
def test_written_forms(text: dict[str, str], expected: Any) -> None:
    (value,) = parse(RigL, text).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ({"every": "often"}, "expected RigL.every to be int | None, got 'often': .*integer"),
        ({"every": "1.5"}, r"expected RigL.every .* got '1\.5'"),
        ({"fraction": "some"}, "expected RigL.fraction to be float, got 'some'"),
        ({"pattern": "24"}, "expected RigL.pattern"),
        ({"every": "2:4"}, "expected RigL.every"),
    ],
)
def test_text_of_another_type_is_refused(text: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        parse(RigL, text)


def test_unknown_deviations_are_told_which_are_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rigl_released'"):
        parse(RigL, {"deviations": "rigl_release"})


def test_an_impossible_pattern_is_refused() -> None:
    with pytest.raises(SettingError, match="5"):
        parse(RigL, {"pattern": "5:4"})


def test_unknown_names_and_those_set_elsewhere_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown setting of RigL 'evry'; did you mean 'every'"):
        parse(RigL, {"evry": "1"})
    with pytest.raises(UnknownNameError, match="unknown setting of RigL 'sparsity'"):
        parse(RigL, {"sparsity": "0.5"}, without=("sparsity",))


def test_functions_have_settings_too() -> None:
    def score(model: Any, *, samples: int = 3, kind: str = "a", seed: int) -> None:
        raise AssertionError

    assert parse(score, {"samples": "5", "kind": "b"}) == {"samples": 5, "kind": "b"}
    assert parameters(score, without=("seed",)) == {"samples": 3, "kind": "a"}
    assert isinstance(parameters(RigL)["deviations"], Deviations)
