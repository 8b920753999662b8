"""P3's figure 3, right: the Hessian of the live weights just before and just after a mask update."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch.nn.functional import cross_entropy

from gossamer.analyze.curvature.exact_spectrum import exact_hessian
from gossamer.analyze.curvature.summary import summarize_eigenvalues
from gossamer.bench.finished import Finished
from gossamer.bench.reproduce.done import Done
from gossamer.bench.reproduce.flow import SPARSE_START
from gossamer.bench.reproduce.kept import Kept

Tick = Callable[[int, int], None]


def spectra(done: Done, kept: Kept, images: int, tick: Tick) -> list[dict[str, Any]]:
    """The exact spectra around the updates that the first run of each variant has kept snapshots of.

    Args:
        done: the experiment.
        kept: where spectra that are found are kept.
        images: training images, the first ones.
        tick: called with the parts done and all parts of one spectrum.

    Returns:
        variant, step, and ``before`` and ``after``: eigenvalues, ascending, and their summary.
    """
    found = []
    for name in SPARSE_START:
        run = done.runs[name][0]
        for step in run.snapshots():
            sides = {
                moment: kept.get(
                    f"hessian-{name}-{step}-{moment}-{images}",
                    partial(_spectrum, done, run, step, moment, images, tick),
                )
                for moment in ("before", "after")
            }
            found.append({"variant": name, "step": step, **sides})
    return found


def _spectrum(done: Done, run: Finished, step: int, moment: str, images: int, tick: Tick) -> dict[str, Any]:
    weights, masks = run.snapshot(step, moment)
    model = run.model()
    model.load_state_dict(dict(weights))
    found = exact_hessian(model, cross_entropy, done.training_images(images), masks=masks, progress=tick)
    summary = summarize_eigenvalues(found.eigenvalues).as_dict()
    return {**summary, "loss": found.loss, "asymmetry": found.asymmetry, "eigenvalues": found.eigenvalues.tolist()}


def summary_rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spectra in numbers.

    Args:
        found: of ``spectra``.

    Returns:
        A row a spectrum: variant, step, moment, and what is said of it.
    """
    return [
        {"variant": each["variant"], "step": each["step"], "moment": moment, **_numbers(each[moment])}
        for each in found
        for moment in ("before", "after")
    ]


def _numbers(spectrum: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spectrum.items() if name != "eigenvalues"}
