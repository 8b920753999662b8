"""Attacks by name, as a command line writes them: ``pgd20:eps=4/255,norm=l2,restarts=5``."""

import re
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gossamer.attack.apgd import APGD, TARGETED
from gossamer.attack.autoattack import AutoAttack
from gossamer.attack.common import Attack
from gossamer.attack.fab import FAB
from gossamer.attack.fgsm import FGSM
from gossamer.attack.pgd import PGD
from gossamer.attack.square import Square
from gossamer.core.errors import SettingError, UnknownNameError

ATTACKS: dict[str, Callable[..., Attack]] = {
    "fgsm": FGSM,
    "pgd": PGD,
    "apgd-ce": partial(APGD, loss="ce"),
    "apgd-dlr": partial(APGD, loss="dlr"),
    "apgd-t": partial(APGD, loss=TARGETED),
    "square": Square,
    "fab-t": FAB,
    "autoattack": AutoAttack,
}
"""What each name makes; a number behind ``pgd`` and the like is its ``steps``."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?(/(?=[\d.]*[1-9])\d+(\.\d*)?)?", re.IGNORECASE)


def named(text: str) -> Attack:
    """The attack that a text names.

    Args:
        text: a name of ``ATTACKS``, for those with steps their number (``pgd20``), and settings after a colon,
            separated by commas; numbers may be fractions, ``none`` is None.

    Returns:
        The attack.

    Raises:
        UnknownNameError: no such attack or setting, with the nearest name.
        SettingError: a setting without a value, twice, or with a value of another type.

    Example:
        >>> named("pgd20:eps=4/255,norm=l2").steps
        20
        >>> named("pdg20")
        Traceback (most recent call last):
        ...
        gossamer.core.errors.UnknownNameError: unknown attack 'pdg20'; did you mean 'pgd'? ...
    """
    name, _, rest = text.strip().partition(":")
    make, settings = _maker(name.strip().lower())
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise SettingError(f"expected setting=value in {text!r}, got {part!r}; write for instance eps=8/255")
        if key in settings:
            raise SettingError(f"{key} is set twice in {text!r}; leave one out")
        settings[key] = _value(make, key, value)
    return make(**settings)


def _maker(name: str) -> tuple[Callable[..., Attack], dict[str, Any]]:
    """The row of the table, and the steps where the name ends in a number."""
    if name in ATTACKS:
        return ATTACKS[name], {}
    stem = name.rstrip("0123456789")
    if stem not in ATTACKS or "steps" not in _fields(ATTACKS[stem]):
        raise UnknownNameError("attack", name, ATTACKS)
    return ATTACKS[stem], {"steps": int(name.removeprefix(stem))}


def _fields(make: Callable[..., Attack]) -> list[str]:
    """Settings that a text may name: not those that are the name itself, such as the loss of ``apgd-dlr``."""
    fixed = make.keywords if isinstance(make, partial) else {}
    return [name for name in signature(make).parameters if name not in fixed]


def _value(make: Callable[..., Attack], key: str, text: str) -> Any:
    """A setting's text as what its annotation asks for."""
    if key not in _fields(make):
        raise UnknownNameError("setting", key, _fields(make))
    kind = get_type_hints(make.func if isinstance(make, partial) else make)[key]
    kinds = get_args(kind) if get_origin(kind) is not Literal else (str,)
    kinds = kinds or (kind,)
    if type(None) in kinds and text.lower() == "none":
        return None
    return _convert(key, text, kinds)


def _convert(key: str, text: str, kinds: tuple[Any, ...]) -> Any:
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if int in kinds and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if float in kinds and _NUMBER.fullmatch(text):
        top, _, bottom = text.partition("/")
        return float(top) / float(bottom or 1)
    if str in kinds:
        return text
    expected = " or ".join("none" if kind is type(None) else kind.__name__ for kind in kinds)
    raise SettingError(f"expected {key} to be {expected}, got {text!r}; write for instance {key}={_EXAMPLE[kinds[0]]}")


_EXAMPLE = {bool: "true", int: "10", float: "8/255"}
