"""The command line itself: its version, its screen, and how errors are told."""

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import torch
import typer
from rich.console import Console

from gossamer._version import __version__
from gossamer.core.errors import UserError

INTERRUPTED = 130  # 128 and the number of SIGINT: what shells give for Ctrl-C
ABOUT = "Train sparse neural networks, and learn when they beat dense ones on data that is hard."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=ABOUT)
console = Console(
    highlight=False, markup=False, width=None if sys.stdout.isatty() else 120
)  # a log has no width of its own


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        console.print(f"gossamer {__version__}, torch {torch.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; what a user can mend is said in a line, without a traceback, as is Ctrl-C."""
    sys.path.insert(0, "")  # a network of the user's own lies beside them
    warnings.showwarning = _saying_each_once()
    try:
        app()
    except KeyboardInterrupt:
        interrupted()
    except SystemExit as error:
        if error.code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            interrupted()
        raise
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        _fail(
            f"expected to read and write {error.filename or 'all files'}, got: {error.strerror or error}; "
            "mend that and run the same command again: what was finished is kept"
        )


def interrupted() -> NoReturn:
    """Say what Ctrl-C has done, and end as a shell expects it."""
    print("interrupted; the same command goes on where it was", file=sys.stderr)
    sys.exit(INTERRUPTED)


def _fail(message: str) -> None:
    Console(stderr=True, highlight=False, markup=False).print("error:", message, soft_wrap=True)
    sys.exit(1)


def _saying_each_once() -> Callable[..., None]:
    """What shows a warning: the same words once, however many runs they come from."""
    said: set[str] = set()

    def say(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            Console(stderr=True, highlight=False, markup=False).print("warning:", str(message), soft_wrap=True)

    return say
