"""The errors that a user can mend; each message says what was expected, what came and what to do.

The command line prints these without a traceback; anything else is a defect of gossamer and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Anything that its reader can mend."""


class SettingError(UserError, ValueError):
    """A setting outside its range, or settings that contradict one another."""


class StateError(UserError, RuntimeError):
    """A call at the wrong moment, or a state that does not fit this model or method."""


class DataError(UserError, ValueError):
    """Data that is not what its format promises."""


class MissingError(UserError, FileNotFoundError):
    """A file or folder that is not there."""


class UnknownNameError(UserError, LookupError):
    """A name that no table has, with the nearest one that exists.

    Args:
        kind: what the table holds, such as ``"method"``.
        name: the name asked for.
        known: the names the table has.

    Example:
        >>> print(UnknownNameError("method", "rigll", ["set", "rigl"]))
        unknown method 'rigll'; did you mean 'rigl'? known: rigl, set
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        self._made_of = (kind, name, names)
        super().__init__(f"unknown {kind} {name!r}; {hint}known: {', '.join(names)}")

    def __reduce__(self) -> tuple[type, tuple[str, str, list[str]]]:
        """Pickled by what it was made of, so that it reaches another process whole."""
        return type(self), self._made_of
