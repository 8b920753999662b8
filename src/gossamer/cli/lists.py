"""``gossamer methods | models | data``."""

from typing import Annotated

import typer

from gossamer.bench import tables
from gossamer.bench.data import download as fetch
from gossamer.cli.app import app, console
from gossamer.cli.options import Folder


@app.command()
def methods() -> None:
    """List what --method and --methods take, with the settings of each."""
    console.print(tables.methods())


@app.command()
def models() -> None:
    """List the networks with their sizes and costs."""
    console.print(tables.models())


@app.command("data")
def data_(
    download: Annotated[str | None, typer.Option(help="fetch this data set, with its checksum")] = None,
    folder: Folder = None,
) -> None:
    """List data sets, where they are and how to get what is missing."""
    if download is not None:
        for path in fetch(download, folder):
            console.print(f"{path}", soft_wrap=True)
    console.print(tables.data(folder))
