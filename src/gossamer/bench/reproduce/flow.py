"""P3's figures 2 and 3: the gradient norm along the training, and its change at each mask update."""

from math import nan
from statistics import fmean
from typing import Any

from gossamer.bench.reproduce.done import Done
from gossamer.bench.reproduce.paper import NORM_STEPS

DENSE_START = ("rigl", "rigl_inverted", "set")  # variants whose masks change all along, from a dense initialisation
SPARSE_START = ("rigl_plus", "rigl_inverted_plus", "set_plus")  # and from P3's
UPDATING = (*DENSE_START, *SPARSE_START)


def norms(done: Done) -> list[dict[str, Any]]:
    """The gradient norm on 1000 fixed training images, by step.

    Args:
        done: the experiment.

    Returns:
        A row a measurement: variant, seed, step, loss, norm.
    """
    return [
        {"variant": name, "seed": run.spec.seed, **{key: row[key] for key in ("step", "loss", "norm")}}
        for name, each in done.runs.items()
        for run in each
        for row in run.table("flow")
    ]


def updates(done: Done) -> list[dict[str, Any]]:
    """The gradient norm before and after each mask update.

    Args:
        done: the experiment.

    Returns:
        A row an update: variant, seed, step, before, after, change.
    """
    return [
        {"variant": name, "seed": run.spec.seed, **{key: row[key] for key in ("step", "before", "after", "change")}}
        for name in UPDATING
        for run in done.runs.get(name, [])
        for row in run.table("updates")
    ]


def measured(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """The norms at the steps that the paper's figure was read at.

    Args:
        rows: of ``norms``.

    Returns:
        One number a seed by variant and quantity.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["step"] in NORM_STEPS:
            found.setdefault((row["variant"], f"norm@{row['step']}"), []).append(row["norm"])
    return found


def update_summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How updates change the gradient norm, over a training's first half and its second.

    Args:
        rows: of ``updates``.

    Returns:
        A row a variant: its updates, the share of them that raise the norm, and the mean change and mean norm before
        the update, each of both halves.
    """
    if not rows:
        return []
    middle = max(row["step"] for row in rows) / 2
    return [
        _summary(name, [row for row in rows if row["variant"] == name], middle)
        for name in dict.fromkeys(row["variant"] for row in rows)
    ]


def _summary(name: str, own: list[dict[str, Any]], middle: float) -> dict[str, Any]:
    early = [row for row in own if row["step"] <= middle]
    late = [row for row in own if row["step"] > middle]
    return {
        "variant": name,
        "updates": len(own),
        "share_raised": fmean(row["change"] > 0 for row in own),
        **_halves("change", early, late),
        **_halves("before", early, late),
    }


def _halves(column: str, early: list[dict[str, Any]], late: list[dict[str, Any]]) -> dict[str, float]:
    means = [fmean(row[column] for row in part) if part else nan for part in (early, late)]
    return {f"{column}_first_half": means[0], f"{column}_second_half": means[1]}
