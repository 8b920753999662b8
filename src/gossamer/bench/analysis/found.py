"""What a part of an analysis found: tables, kept on the disk so that nothing is computed twice."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from gossamer._version import __version__
from gossamer.bench.analysis.begun import lacking
from gossamer.bench.analysis.opened import FOLDER, Opened
from gossamer.bench.store import RunFolder
from gossamer.core.errors import SettingError

Rows = list[dict[str, Any]]
FORMAT = 3  # of what is kept: another number where tables or columns change
KEPT = "kept"  # in the folder of the analysis


class NotHereError(SettingError):
    """A part of an analysis that this run has nothing for."""


@dataclass(frozen=True)
class Found:
    """What a part found, in plain numbers.

    Args:
        tables: rows by the name of the table.
        notes: sentences about them.
        pictures: matrices by name, which are drawn and not written as tables.
    """

    tables: Mapping[str, Rows]
    notes: Sequence[str] = ()
    pictures: Mapping[str, Any] = field(default_factory=dict)


def kept(
    run: Opened, part: str, settings: Mapping[str, Any], find: Callable[[], Found], place: RunFolder | None = None
) -> Found:
    """What was found before of these weights with these settings, or what is found now.

    Args:
        run: whose.
        part: name of what is found.
        settings: all that it depends on besides the run.
        find: finds it.
        place: the folder of the run that is analyzed, where it is another one.

    Returns:
        It, as JSON reads it back, so that it is the same now and later.
    """
    whose = {
        "format": FORMAT,
        "version": __version__,
        "weights": run.digest,
        "run": run.spec.key,
        "part": part,
        "lacking": [place.name for place in lacking(run)],  # what was not found without a run is found with it
        **settings,
    }
    key = sha256(json.dumps(whose, sort_keys=True).encode()).hexdigest()[:12]
    folder, name = RunFolder((place or run.folder).path / FOLDER / KEPT), f"{part}-{key}.json"
    stored = folder.read_json(name)
    if not isinstance(stored, dict) or "found" not in stored:
        folder.write_json(name, {**whose, "found": asdict(find())})
        stored = folder.read_json(name)
    return Found(**stored["found"])


def written(
    run: Opened, part: str, settings: Mapping[str, Any], found: Found, draw: Callable[[Path], list[Path]] | None = None
) -> list[Path]:
    """Write a part: a CSV file a table, figures, and one JSON file of everything, last.

    Args:
        run: whose.
        part: its name.
        settings: how it was found.
        found: what was found.
        draw: draws its figures, given their path without ending; None is none.

    Returns:
        The files; those that an earlier command wrote of this part, and this one does not, are gone.
    """
    folder = RunFolder(run.folder.path / FOLDER)
    names = []
    for name, rows in found.tables.items():
        if rows:
            names.append(f"{part}-{name}.csv")
            folder.write(names[-1], pd.DataFrame(rows).to_csv(index=False).encode())
    if draw is not None:
        names += [path.name for path in draw(folder.path / part)]
    before = (folder.read_json(f"{part}.json") or {}).get("files", [])
    for old in set(before) - set(names):
        (folder.path / old).unlink(missing_ok=True)
    content = {"title": run.title, "settings": dict(settings), **asdict(found), "files": names}
    folder.write_json(f"{part}.json", content)
    return [folder.path / name for name in (*names, f"{part}.json")]
