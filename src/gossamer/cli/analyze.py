"""``gossamer analyze``: why a network learned as it did: density, flow, curvature, landscape, spectrum, kernels."""

from pathlib import Path
from typing import Annotated

import typer

from gossamer.bench import session
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.opened import opened
from gossamer.bench.analysis.report import PARTS, analyze
from gossamer.cli.app import app, console
from gossamer.cli.options import Device, Folder, Threads
from gossamer.core.errors import SettingError


@app.command("analyze")
def command(
    run: Annotated[Path, typer.Argument(help="folder of a finished run")],
    density: Annotated[bool, typer.Option("--density", help="layers beside ERK and SNIP, masks over time")] = False,
    flow: Annotated[bool, typer.Option("--flow", help="gradient flow over training and by layer")] = False,
    kernels: Annotated[bool, typer.Option("--kernels", help="live weights of each kernel, dead filters")] = False,
    spectrum: Annotated[bool, typer.Option("--spectrum", help="accuracy by frequency, power of the filters")] = False,
    hessian: Annotated[bool, typer.Option("--hessian", help="eigenvalues over the live weights, trace")] = False,
    interpolate: Annotated[
        Path | None, typer.Option(help="folder of another finished run: loss and accuracy on the line to it")
    ] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="a run whose spectrum is drawn in the same figure; repeatable")
    ] = None,
    heat_map: Annotated[bool, typer.Option("--heat-map", help="spectrum: error under noise of each frequency")] = False,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="hessian: before and after the mask updates kept by the trace")
    ] = False,
    exact: Annotated[bool, typer.Option("--exact", help="hessian: all eigenvalues, however many weights live")] = False,
    images: Annotated[int, typer.Option(min=1, help="training images, and as many test images, measured on")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1, help="images at once; bounds the memory")] = 250,
    seed: Annotated[int, typer.Option(min=0, help="of what is drawn at random")] = 0,
    data: Annotated[str | None, typer.Option(help="data set, where the run's own is not known by name")] = None,
    folder: Folder = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Look into a finished run: tables and figures in its folder; of no option the cheap parts, all but the Hessian."""
    chosen = {"density": density, "flow": flow, "kernels": kernels, "spectrum": spectrum, "hessian": hessian}
    named = tuple(name for name in PARTS if chosen[name])
    _needs(named, "spectrum", {"--beside": beside, "--heat-map": heat_map})
    _needs(named, "hessian", {"--snapshots": snapshots, "--exact": exact})
    asked = Asked(
        parts=named, images=images, other=interpolate, beside=tuple(beside or ()), heat_map=heat_map, exact=exact,
        snapshots=snapshots, batch_size=batch_size, seed=seed,
    )  # fmt: skip
    place = session.place(device, threads)
    own = opened(run, data, folder, place)
    others = [opened(path, data, folder, place) for path in asked.beside]
    other = None if interpolate is None else opened(interpolate, data, folder, place)
    analyze(console, own, asked, others, other)


def _needs(named: tuple[str, ...], part: str, given: dict[str, object]) -> None:
    """Refuse options of a part that is not asked for."""
    told = [name for name, value in given.items() if value]
    by_default = not named and part != "hessian"  # of no option the cheap parts
    if told and part not in named and not by_default:
        raise SettingError(f"expected --{part} with {' and '.join(told)}, which would do nothing without it; add it")
