"""Numbers that took long to find, kept on the disk under a name, so that an interrupted command goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gossamer.bench.store import RunFolder


@dataclass(frozen=True)
class Kept:
    """Findings in a folder, one JSON file each.

    Args:
        folder: where; its name stands for the runs that the findings are of.
    """

    folder: RunFolder

    def get(self, name: str, find: Callable[[], Any]) -> Any:
        """A finding, computed now if it is not there yet.

        Args:
            name: of the finding.
            find: computes it, as plain numbers, strings, lists and dictionaries.

        Returns:
            The finding as JSON reads it back, so that it is the same now and later.
        """
        file = f"{name}.json"
        kept = self.folder.read_json(file)
        if kept is None:
            self.folder.write_json(file, find())
            kept = self.folder.read_json(file)
        return kept
