"""Where data sets are looked for, and where decoded ones are kept."""

import os
from dataclasses import dataclass
from pathlib import Path

import pooch

from gossamer.core.errors import MissingError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a data set may lie on disk: under which folder names, in which files.

    Attributes:
        folders: folder names under a data root; ``""`` is the root itself.
        files: alternatives; each is a set of files that must all be there. ``.gz`` may be appended to each name.
        system: a folder where a Linux distribution's package installs the files.
    """

    folders: tuple[str, ...]
    files: tuple[tuple[str, ...], ...]
    system: Path | None = None


def cache_folder() -> Path:
    """The user's folder for downloads and decoded archives: $GOSSAMER_CACHE, else the platform's cache folder."""
    return Path(os.environ.get("GOSSAMER_CACHE") or pooch.os_cache("gossamer"))


def places(layout: Layout, folder: Path | None = None) -> list[Path]:
    """The folders to look in, first one first.

    Args:
        layout: how the data set may lie on disk.
        folder: if given, only this folder and the data set's own folder under it.

    Returns:
        ``folder``, or else $GOSSAMER_DATA, ``data`` under the working directory, the user's cache folder
        and the package's folder, in this order.
    """
    if folder is not None:
        return list(dict.fromkeys([folder, *(folder / name for name in layout.folders)]))
    given = os.environ.get("GOSSAMER_DATA")
    roots = [Path(given)] if given else []
    roots += [Path("data"), cache_folder()]
    system = [layout.system] if layout.system else []
    return [root / name for root in roots for name in layout.folders] + system


def find_file(folder: Path, name: str) -> Path | None:
    """The file `name`, or `name` + ``.gz``, in a folder; None if there is neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def find_files(layout: Layout, folder: Path) -> list[Path] | None:
    """The first complete alternative of a layout's files in a folder; None if there is none."""
    for names in layout.files:
        found = [path for name in names if (path := find_file(folder, name))]
        if len(found) == len(names):
            return found
    return None


def locate(name: str, layout: Layout, advice: str, folder: Path | None = None) -> list[Path]:
    """The files of a data set, from the first place that has all of them.

    Args:
        name: the data set's name, for the message.
        layout: how it may lie on disk.
        advice: how to get it, for the message.
        folder: if given, the only folder to look in.

    Returns:
        The paths, in the order of the layout.

    Raises:
        MissingError: if no place has them all; says what each place lacks.
    """
    searched = places(layout, folder)
    for place in searched:
        if found := find_files(layout, place):
            return found
    lines = "".join(f"\n  {place}: {_lack(layout, place)}" for place in searched)
    raise MissingError(f"data set {name!r} not found; searched:{lines}\n{advice}; `gossamer data` lists every data set")


def _lack(layout: Layout, place: Path) -> str:
    """What a place lacks: of the alternative that most is there of, or else of the shortest."""
    if not place.is_dir():
        return "no such folder"
    lacking = {names: [name for name in names if find_file(place, name) is None] for names in layout.files}
    nearest = min(layout.files, key=lambda names: (len(lacking[names]) - len(names), len(names)))
    return f"lacks {', '.join(lacking[nearest])}"
