"""Fetching published files, only when asked, and keeping them only if their checksum is the published one."""

from dataclasses import dataclass, replace
from pathlib import Path

import pooch

from gossamer.core.errors import DataError, MissingError


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A published file.

    Attributes:
        url: where it is.
        md5: its published checksum. MD5 is what the authors of these data sets publish.
    """

    url: str
    md5: str

    @property
    def file(self) -> str:
        """Its file name."""
        return self.url.rsplit("/", maxsplit=1)[-1]

    def at(self, mirror: str) -> "Remote":
        """The same file at another address."""
        return replace(self, url=f"{mirror.rstrip('/')}/{self.file}")


def fetch(remote: Remote, folder: Path) -> Path:
    """Fetch one file into a folder, unless it is there already with the right checksum.

    Args:
        remote: what to fetch.
        folder: where to put it; made if need be. A file with another checksum never gets there.

    Returns:
        The path of the file.

    Raises:
        DataError: if the checksum is not the published one.
        MissingError: if it cannot be reached or stored.
    """
    reader = pooch.HTTPDownloader(progressbar=False, timeout=60)
    try:
        path = pooch.retrieve(remote.url, f"md5:{remote.md5}", fname=remote.file, path=folder, downloader=reader)
    except ValueError as error:
        raise DataError(
            f"{remote.url}: expected the checksum md5:{remote.md5}, got another ({error}); nothing was kept: "
            "try again, or get the file by another way"
        ) from None
    except OSError as error:  # requests' errors are OSErrors too
        raise MissingError(
            f"{remote.url}: cannot be fetched to {folder} ({error}); fetch it by other means and put it there"
        ) from None
    return Path(path)
