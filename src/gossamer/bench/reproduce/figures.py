"""The figures of P3's MNIST experiments, drawn from tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gossamer.bench.reproduce.flow import DENSE_START, SPARSE_START
from gossamer.bench.reproduce.variants import VARIANTS
from gossamer.figure.histogram import Spectrum, Values, histogram
from gossamer.figure.lines import Panel, curves, lines
from gossamer.figure.scatter import scatter

Rows = Sequence[Mapping[str, Any]]
FIXED = ("lottery", "scratch", "scratch_plus", "restart")
GROUPS = {
    "pruned": "Pruned",
    "lottery_start": "Lottery, start",
    "lottery_end": "Lottery, end",
    "scratch_start": "Scratch, start",
    "scratch_end": "Scratch, end",
}
STARTS = {"dense": "dense (Glorot)", "scaled_per_layer": "per layer (Liu)", "scaled_per_neuron": "per neuron (P3)"}


def named(rows: Rows, column: str, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows whose column is one of some names, with the words for it.

    Args:
        rows: a table.
        column: of the names.
        names: words by name, in the order of the figure.

    Returns:
        Those rows, in that order.
    """
    return [{**row, column: words} for name, words in names.items() for row in rows if row[column] == name]


def _variants(names: Sequence[str]) -> dict[str, str]:
    return {name: VARIANTS[name].label for name in names}


def draw_norms(rows: Rows, title: str, stem: Path) -> list[Path]:
    """Figure 2: the gradient norm along the training."""
    panels = [
        Panel(
            curves=curves(named(rows, "variant", _variants(names)), "step", "norm", "variant"),
            x="step", y="gradient norm", title=words, low=0.0,
        )
        for names, words in (
            (FIXED, "fixed masks"),
            (DENSE_START, "changing masks, dense initialisation"),
            ((*SPARSE_START, "small_dense"), "changing masks, sparse initialisation"),
        )
    ]  # fmt: skip
    return lines(panels, title, stem, plain=())


def draw_updates(rows: Rows, title: str, stem: Path) -> list[Path]:
    """Figure 3, left: the change of the gradient norm at each mask update."""
    panels = [
        Panel(
            curves=curves(named(rows, "variant", _variants(names)), "step", "change", "variant"),
            x="step", y="change of the gradient norm", title=words, levels=(0.0,),
        )
        for names, words in ((DENSE_START, "dense initialisation"), (SPARSE_START, "sparse initialisation"))
    ]  # fmt: skip
    return lines(panels, title, stem, columns=2, plain=())


def draw_spectra(found: Sequence[Mapping[str, Any]], title: str, stem: Path) -> list[Path]:
    """Figure 3, right: the Hessian's spectrum before and after a mask update."""
    panels = [
        Spectrum(
            spectra=[Values(label=moment, values=each[moment]["eigenvalues"]) for moment in ("before", "after")],
            title=f"{VARIANTS[each['variant']].label}, step {each['step']}", linear=0.01,
            rounding=max(each[moment]["bound"] for moment in ("before", "after")),
        )
        for each in found
    ]  # fmt: skip
    return histogram(panels, title, stem, x="eigenvalue (linear within ± 0.01)", y="eigenvalues")


def draw_lines(rows: Rows, title: str, stem: Path) -> list[Path]:
    """Figure 5, right: loss and accuracy on the line to the pruned network."""
    table = named(rows, "line", GROUPS)
    panels = [
        Panel(curves=curves(table, "alpha", column, "line"), x="α (1: pruned)", y=words, marks=(0.0, 1.0), low=low)
        for column, words, low in (("loss", "training loss", 0.0), ("test_accuracy", "test accuracy", None))
    ]
    return lines(panels, title, stem, columns=2, plain=())


def draw_map(rows: Rows, stress: float, title: str, stem: Path) -> list[Path]:
    """Figure 5, left: solutions in the plane."""
    return scatter(named(rows, "group", GROUPS), title, stem, stress=stress)


def draw_signal(rows: Rows, title: str, stem: Path) -> list[Path]:
    """Figure 1: the outputs' deviation at initialisation."""
    panels = []
    for inputs, words in (("images", "training images"), ("noise", "noise, outputs after a ReLU (the authors')")):
        own = [row for row in rows if row["inputs"] == inputs]
        drawn = curves(named(own, "start", STARTS), "sparsity", "output", "start")
        panels.append(Panel(curves=drawn, x="sparsity", y="std of the outputs", title=words, log_y=True))
    return lines(panels, title, stem, columns=2, plain=())
