"""Settings given as text, such as ``every=20``, turned into what a class or function takes."""

import re
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.method import CLEAN, P1_RELEASED, RIGL_RELEASED, Deviations
from gossamer.core.pattern import NM

NAMED_DEVIATIONS = {"clean": CLEAN, "p1_released": P1_RELEASED, "rigl_released": RIGL_RELEASED}


def parse(target: Callable[..., Any], texts: Mapping[str, Any], *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Keyword arguments for a class or function, from text, checked against its annotations.

    Args:
        target: whose keyword-only parameters are set.
        texts: values by name; text is converted, other values are only checked.
        without: parameters that are set elsewhere.

    Returns:
        The values by name.

    Raises:
        UnknownNameError: no such setting, with the nearest name.
        SettingError: the text is not of the setting's type.

    Example:
        >>> from gossamer import RigL
        >>> parse(RigL, {"every": "20", "pattern": "2:4"})
        {'every': 20, 'pattern': NM(n=2, m=4)}
    """
    allowed = parameters(target, without)
    hints = get_type_hints(target)
    values = {}
    for name, text in texts.items():
        if name not in allowed:
            raise UnknownNameError(f"setting of {target.__name__}", name, allowed)
        values[name] = _convert(f"{target.__name__}.{name}", hints[name], text)
    return values


def parameters(target: Callable[..., Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keyword-only parameters of a class or function with their defaults.

    Args:
        target: a class or function.
        without: names to leave out.

    Returns:
        Default by name; ``inspect.Parameter.empty`` where there is none.

    Example:
        >>> from gossamer import Random
        >>> parameters(Random, without=("sparsity", "deviations", "dense", "pattern"))
        {'total_steps': 1, 'distribution': 'erk'}
    """
    found = signature(target).parameters.values()
    return {p.name: p.default for p in found if p.kind is Parameter.KEYWORD_ONLY and p.name not in without}


def as_text(value: Any) -> str:
    """A setting as the text that ``parse`` reads back.

    Example:
        >>> as_text(NM(2, 4)), as_text(None), as_text(("a", "b")), as_text(CLEAN)
        ('2:4', 'none', 'a+b', 'clean')

    Returns:
        The text.
    """
    if isinstance(value, NM):
        return f"{value.n}:{value.m}"
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    named = [name for name, deviations in NAMED_DEVIATIONS.items() if deviations == value]
    return named[0] if named else "none" if value is None else str(value)


def _convert(name: str, hint: Any, text: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError  # the workbench's need, not the library's

    text = _named(hint, text)
    try:
        return TypeAdapter(hint, config=None).validate_python(text)
    except ValidationError as error:
        why = "; ".join(str(detail["msg"]) for detail in error.errors())
        raise SettingError(f"expected {name} to be {_plain(hint)}, got {text!r}: {why}") from None


def _named(hint: Any, text: Any) -> Any:
    """Values that have a written form of their own: 2:4, released deviations, lists with commas, none."""
    if not isinstance(text, str):
        return text
    pattern = re.fullmatch(r"(\d+):(\d+)", text)
    if pattern:
        return NM(int(pattern[1]), int(pattern[2]))
    if hint is Deviations:
        if text.lower() not in NAMED_DEVIATIONS:
            raise UnknownNameError("deviations", text, NAMED_DEVIATIONS)
        return NAMED_DEVIATIONS[text.lower()]
    if text.lower() == "none" and "None" in str(hint):
        return None
    return tuple(part for part in text.split("+") if part) if "tuple" in str(hint) else text


def _plain(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    return getattr(hint, "__name__", None) or str(hint).replace("typing.", "")
