"""How far an analysis is: a bar a part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Told what has been done."""

    def __call__(self, done: float = 1, more: int = 0) -> None:
        """So much is done now, and so much more is known to be ahead."""


def nobody(done: float = 1, more: int = 0) -> None:
    """Tells nobody."""


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str], Advance]]:
    """Progress bars that go when all is done.

    Args:
        console: where to draw.

    Yields:
        Makes the bar of a part, given its name.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as progress:

        def begin(part: str) -> Advance:
            task, ahead = progress.add_task(part, total=None), 0

            def advance(done: float = 1, more: int = 0) -> None:
                nonlocal ahead
                ahead += more
                progress.update(task, advance=done, total=ahead or None)

            return advance

        yield begin
