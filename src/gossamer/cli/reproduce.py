"""``gossamer reproduce``: a paper's experiment as one command."""

from pathlib import Path
from typing import Annotated

import typer

from gossamer.bench import session
from gossamer.bench.place import CHECKPOINT_SECONDS
from gossamer.bench.reproduce.command import reproduce as run_all
from gossamer.bench.reproduce.variants import experiment
from gossamer.cli.app import app, console
from gossamer.cli.options import Checkpoint, Device, Epochs, Folder, Out, Threads


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="p3-lenet5 or p3-mlp")],
    seeds: Annotated[int, typer.Option(min=1, max=10, help="runs of each variant; the paper has 5")] = 5,
    folder: Folder = None,
    epochs: Epochs = None,
    hessian_images: Annotated[
        int, typer.Option(min=0, help="training images of the Hessians; 0 leaves them out, the paper has 60000")
    ] = 2000,
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Train and measure all variants of P3's MNIST experiments, beside the paper's numbers."""
    plan = experiment(name)  # an unknown name is told before anything is loaded
    bench = session.bench("mnist", folder, out, device, threads, checkpoint_seconds)
    run_all(console, bench, plan, seeds, epochs, hessian_images or None)
