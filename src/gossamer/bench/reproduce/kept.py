"""Numbers that took long to find, kept on the disk under a name, so that an interrupted command goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gossamer._version import __version__
from gossamer.bench.store import RunFolder

FORMAT = 1  # of what is kept: another number where a finding changes its meaning


@dataclass(frozen=True)
class Kept:
    """Findings in a folder, one JSON file each; those of another version, or of other runs, are found anew.

    Args:
        folder: where.
        whose: digest of what they are of.
    """

    folder: RunFolder
    whose: str = ""

    def get(self, name: str, find: Callable[[], Any]) -> Any:
        """A finding, computed now if it is not there yet.

        Args:
            name: of the finding.
            find: computes it, as plain numbers, strings, lists and dictionaries.

        Returns:
            The finding as JSON reads it back, so that it is the same now and later.
        """
        file, stamp = f"{name}.json", {"format": FORMAT, "version": __version__, "whose": self.whose}
        kept = self.folder.read_json(file)
        if not isinstance(kept, dict) or "found" not in kept or not stamp.items() <= kept.items():
            self.folder.write_json(file, {**stamp, "found": find()})
            kept = self.folder.read_json(file)
        return kept["found"]
