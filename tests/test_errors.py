"""Every ``raise`` of the core and of the methods is reached by a row of ``tests/refusals.py``, and its words are read.

``test_every_raise_has_a_row`` fails where a new ``raise`` comes without one.  Pruning at initialisation has its own.
"""

import ast
import inspect
import pickle
from pathlib import Path

import pytest

import gossamer
from gossamer import METHODS
from gossamer.core import errors
from gossamer.core.errors import DataError, MissingError, SettingError, StateError, UnknownNameError, UserError
from gossamer.methods.tickets import LTH
from tests.refusals import ROWS, Row


@pytest.mark.parametrize("name", ROWS)
def test_the_words_of_every_refusal(name):
    with pytest.raises(ROWS[name].error, match=ROWS[name].match):
        ROWS[name].act()


@pytest.mark.parametrize("name", ROWS)
def test_every_refusal_a_user_can_mend_is_a_user_error(name):
    assert issubclass(ROWS[name].error, UserError) or ROWS[name].error is AssertionError


# --- completeness ------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    """All of the core, the table's methods with the classes they derive from, and the tickets."""
    core = Path(errors.__file__).parent.glob("*.py")
    modules = {base.__module__ for kind in METHODS.values() for base in kind.__mro__ if "gossamer" in base.__module__}
    files = {Path(inspect.getfile(__import__(name, fromlist=["x"]))) for name in (*modules, LTH.__module__)}
    return sorted({*core, *files})


def raises(path: Path) -> list[tuple[Path, int, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(path, node.lineno, node.end_lineno) for node in ast.walk(tree) if isinstance(node, ast.Raise)]


def raised_at(row: Row) -> tuple[Path, int] | None:
    """File and line of the innermost frame inside of the package."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the test above reads class and words
        row.act()
    frames = [(Path(entry.path), entry.lineno + 1) for entry in caught.traceback]
    inside = [(path, line) for path, line in frames if Path(gossamer.__file__).parent in path.parents]
    return inside[-1] if inside else None


def test_every_raise_has_a_row():
    reached = {raised_at(row) for row in ROWS.values()}
    missing = [
        f"{path.name}:{first}"
        for file in sources()
        for path, first, last in raises(file)
        if not any((path, line) in reached for line in range(first, last + 1))
    ]
    assert missing == []


def test_the_search_for_raises_finds_some():
    assert len(sources()) > 15
    assert sum(len(raises(path)) for path in sources()) > 35


# --- the classes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (SettingError, ValueError),
        (StateError, RuntimeError),
        (DataError, ValueError),
        (MissingError, FileNotFoundError),
        (UnknownNameError, LookupError),
    ],
)
def test_errors_are_user_errors_and_of_the_builtin_kind_that_fits(kind, builtin):
    assert issubclass(kind, UserError)
    assert issubclass(kind, builtin)


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all():
    assert str(UnknownNameError("method", "rgl", ["set", "rigl"])) == (
        "unknown method 'rgl'; did you mean 'rigl'? known: rigl, set"
    )
    assert str(UnknownNameError("method", "zzz", ["set", "rigl"])) == "unknown method 'zzz'; known: rigl, set"


@pytest.mark.parametrize(
    "error",
    [
        SettingError("words"),
        StateError("words"),
        DataError("words"),
        MissingError("words"),
        UnknownNameError("method", "rgl", ["rigl"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel_between_processes(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
