"""Who looks on while runs go: the loop tells, a command line shows."""

from collections.abc import Mapping
from typing import Any


class Watch:
    """Hears of every event and shows nothing; derive from it to show something."""

    def start(self, name: str, done: int, total: int) -> None:
        """A run begins or goes on: steps done and steps in all."""

    def step(self, done: int) -> None:
        """A step was made."""

    def epoch(self, numbers: Mapping[str, Any]) -> None:
        """An epoch was finished."""

    def finish(self, name: str) -> None:
        """A run is done."""
