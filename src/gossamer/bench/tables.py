"""The lists of the command line: methods, models, data."""

from pathlib import Path

from rich import box
from rich.table import Table

from gossamer.bench.data import available
from gossamer.bench.models import describe
from gossamer.bench.recipes import RECIPES


def methods() -> Table:
    """Every recipe with its settings and their defaults."""
    note = "every=none: the paper's share of the training; each method has a card in docs/methods"
    table = Table(box=box.SIMPLE_HEAD, caption=note, caption_justify="left")
    table.add_column("method", no_wrap=True)
    table.add_column("what it is")
    table.add_column("settings (--set method.name=value)")
    for name, recipe in RECIPES.items():
        defaults = recipe.words(name, {})
        told = ", ".join(f"{key}={value}" for key, value in defaults.items())
        table.add_row(name, recipe.about.replace("``", "").replace("*", ""), told)
    return table


def models() -> Table:
    """Every network with what it costs."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    table.add_column("what it is")
    for heading in ("input", "classes", "parameters", "forward MFLOPs"):
        table.add_column(heading, justify="right")
    for model in describe():
        size = f"{model.channels}×{model.image_size}×{model.image_size}"
        costs = (f"{model.parameters:,}", f"{model.forward_flops / 1e6:,.1f}")
        table.add_row(model.name, model.description, size, str(model.num_classes), *costs)
    return table


def data(folder: Path | None = None) -> Table:
    """Every data set: where it is, or how to get it."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("data", no_wrap=True)
    table.add_column("images", justify="right")
    table.add_column("where, or how to get it")
    for entry in available(folder):
        train, test = entry.counts
        where = (
            str(entry.place) if entry.present else f"missing: {entry.advice}, or: gossamer data --download {entry.name}"
        )
        table.add_row(entry.name, f"{train:,} + {test:,}", where)
    table.add_row("PATH", "yours", "a folder train/<class>/*.png|jpg, test/<class>/..., or a tar archive of one")
    return table
