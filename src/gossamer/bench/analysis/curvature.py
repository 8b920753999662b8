"""Curvature at one moment: all eigenvalues of a small network, both ends and a density of a large one, the trace."""

from collections.abc import Callable
from typing import cast

from torch import nn
from torch.nn.functional import cross_entropy

from gossamer.analyze.curvature.eigen import eigenvalues
from gossamer.analyze.curvature.exact_spectrum import ExactHessian, exact_hessian
from gossamer.analyze.curvature.hessian import HessianOperator, hessian
from gossamer.analyze.curvature.hutchinson import hessian_trace
from gossamer.analyze.curvature.lanczos import spectral_density
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.counted import Counted
from gossamer.bench.analysis.found import Found, Rows
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.errors import StateError
from gossamer.core.masks import Masks

ENDS = 5  # eigenvalues at each end
EXACT = 3000  # coordinates up to which all eigenvalues are computed: 2,445 of LeNet5 at 95 %
PROBES = 100  # of the trace
STEPS, STARTS = 80, 8  # of the density: Lanczos steps from each random vector
ROUNDING = 1e-5  # of the largest magnitude: what counts as zero, as in ``summarize_eigenvalues``


def measured(run: Opened, asked: Asked, advance: Advance, moment: str, model: nn.Module, masks: Masks | None) -> Found:
    """What is known of the Hessian at one moment.

    Args:
        run: whose training images are taken.
        asked: how many, and whether a large network is decomposed as a whole.
        advance: told of each product with the Hessian.
        moment: in words, in each row.
        model: the network at that moment.
        masks: who lived then; None is everyone.

    Returns:
        Tables ``summary``, ``extremes``, ``eigenvalues`` or ``density``, and ``traces``.
    """
    batch = run.train(asked.images)
    operator = Counted(hessian(model, cross_entropy, batch, masks=masks, batch_size=asked.batch_size), advance)
    notes: list[str] = []
    if asked.exact or operator.shape[0] <= EXACT:
        advance(0, operator.shape[0])
        steps = _steps(advance, operator.shape[0])
        found = _whole(
            exact_hessian(model, cross_entropy, batch, masks=masks, batch_size=asked.batch_size, progress=steps)
        )
    else:
        advance(0, PROBES + STEPS * STARTS)
        found = _outside(operator, asked, moment, notes)
    extremes, trace = found["extremes"], found["traces"][0]
    summary = {
        "loss": operator.loss, "coordinates": operator.shape[0], "images": len(batch[1]),
        "top": extremes[0]["eigenvalue"] if extremes else None,
        "bottom": extremes[-1]["eigenvalue"] if extremes else None,
        **found["summary"][0], "trace": trace["trace"], "trace_error": trace["error"],
    }  # fmt: skip
    tables = {**found, "summary": [summary]}
    return Found({name: [{"moment": moment, **row} for row in rows] for name, rows in tables.items()}, notes)


def _whole(exact: ExactHessian) -> dict[str, Rows]:
    """The tables of a Hessian that is known in full; its trace is no estimate."""
    values, told, diagonal = exact.eigenvalues.flip(0).tolist(), exact.summary(), exact.matrix.diagonal()
    parts = {"all": diagonal, **{name: diagonal[part] for name, part in exact.coordinates.layers()}}
    return {
        "summary": [{"exact": True, "negative": told.negative_share, "resolution": told.bound}],
        "extremes": _ends(values),
        "eigenvalues": [{"eigenvalue": value} for value in values],
        "density": [],
        "traces": [{"parameter": name, "trace": float(part.sum()), "error": 0.0} for name, part in parts.items()],
    }


def _outside(operator: Counted, asked: Asked, moment: str, notes: list[str]) -> dict[str, Rows]:
    """The tables of a Hessian of which only products are known."""
    # it asks for products and coordinates alone
    trace = hessian_trace(cast(HessianOperator, operator), probes=PROBES, seed=asked.seed)
    found = spectral_density(operator, steps=STEPS, probes=STARTS, seed=asked.seed)
    negative = float(found.weights[found.nodes < -found.width].sum()) / STARTS
    return {
        "summary": [{"exact": False, "negative": negative, "resolution": found.width}],
        "extremes": _extremes(operator, asked, moment, notes),
        "eigenvalues": [],
        "density": found.rows(),
        "traces": trace.rows(),
    }


def _steps(advance: Advance, size: int) -> Callable[[int, int], None]:
    """Work done of all work, as columns of the matrix more."""
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = size * done / total
        advance(now - last)
        last = now

    return progress


def _ends(values: list[float]) -> Rows:
    """The largest and the smallest of all eigenvalues; their residuals are rounding."""
    count = min(ENDS, len(values))
    top = [{"end": "top", "eigenvalue": value, "residual": None} for value in values[:count]]
    return top + [{"end": "bottom", "eigenvalue": value, "residual": None} for value in values[-count:]]


def _extremes(operator: Counted, asked: Asked, moment: str, notes: list[str]) -> Rows:
    """Both ends of the spectrum; where they do not converge, a sentence instead."""
    count = min(ENDS, operator.shape[0] // 2)
    try:
        return eigenvalues(operator, top=count, bottom=count, seed=asked.seed).rows()
    except StateError as error:
        notes.append(f"{moment}: no extreme eigenvalues: {error}")
        return []
