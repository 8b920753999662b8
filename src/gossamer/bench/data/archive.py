"""Reading tar archives in place: nothing is ever written to disk, links and devices are never followed."""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from gossamer.core.errors import DataError

OPENERS: dict[bytes, Callable[[Path], io.BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
}
END_OF_ARCHIVE = bytes(1024)  # two empty blocks, POSIX.1-2001, pax "ustar Interchange Format"


def members(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The regular files of a tar archive, plain or compressed by gzip, xz or bzip2.

    Args:
        path: the archive; its compression is told by its content, not by its name.

    Yields:
        The name and the content of each file, in the archive's order.

    Raises:
        DataError: if the archive is cut short or damaged, or a member's name is absolute or points upwards.
    """
    try:
        with _open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content:
                    yield _inside(path, member.name), content.read()
            _drain(stream)
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: cannot be read as a tar archive ({error}); it is cut short or damaged") from None


def _open(path: Path) -> io.BufferedIOBase:
    """Open by content. Not tarfile's own "r|*", which takes a compressed archive that is cut short for complete."""
    with path.open("rb") as file:
        start = file.read(6)
    for magic, opener in OPENERS.items():
        if start.startswith(magic):
            return opener(path)
    _check_end(path)
    return path.open("rb")


def _check_end(path: Path) -> None:
    """A plain archive cut between two members looks complete but for its missing end mark."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - len(END_OF_ARCHIVE)))
        if file.read() != END_OF_ARCHIVE:
            raise DataError(f"{path}: is no tar archive, or one that is cut short: its end mark is missing")


def _drain(stream: io.BufferedIOBase) -> None:
    """Read on to the end, where the compressor's checksum lies."""
    while stream.read(1 << 20):
        pass


def _inside(path: Path, name: str) -> PurePosixPath:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise DataError(f"{path}: member {name!r} points outside the archive; expected relative names without '..'")
    return inside
