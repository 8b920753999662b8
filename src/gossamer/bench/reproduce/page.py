"""The page of a reproduction: the paper's values beside ours, and what else was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from gossamer.bench.reproduce.agreement import spread
from gossamer.bench.reproduce.figures import GROUPS, STARTS
from gossamer.bench.reproduce.lines import Line
from gossamer.bench.reproduce.variants import VARIANTS, Experiment
from gossamer.bench.reproduce.words import markdown

Rows = Sequence[Mapping[str, Any]]
NAMES = {**{name: variant.label for name, variant in VARIANTS.items()}, **GROUPS, **STARTS}
QUANTITIES = {
    "accuracy": "test accuracy",
    "ensemble": "accuracy of all seeds together",
    "disagreement": "disagreement of two seeds",
    "disagreement_pruned": "disagreement with pruned",
    "loss_highest": "highest training loss on the line",
}


def page(plan: Experiment, parts: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """All tables and figures, in Markdown.

    Args:
        plan: the experiment.
        parts: tables by name.
        figures: file names by name.

    Returns:
        The page.
    """
    blocks = [
        f"# {plan.name}: {plan.model} at {plan.sparsity:.0%} sparsity on MNIST",
        _accuracies(parts["agreement"]),
        *([_beside(parts["beside"])] if parts["beside"] else []),
        _updates(parts["update_summary"]),
        *([_spectra(parts["spectra"])] if parts["spectra"] else []),
        _barriers(parts["lines"]),
        *(f"![{key}]({file})" for key, file in figures.items()),
    ]
    return "\n\n".join(blocks) + "\n"


def _accuracies(rows: Rows) -> str:
    table = [
        {
            "variant": NAMES[row["variant"]],
            "test accuracy": spread(row["accuracy"]),
            "stuck": row["stuck"] or "",
            "of the others": spread(sorted(row["accuracy"])[row["stuck"] :]) if row["stuck"] else "",
            "together": row["ensemble"],
            "disagreement": spread(row["disagreement"], ".4f"),
            "with pruned": spread(row["disagreement_pruned"], ".4f"),
            "live parameters": f"{row['live_parameters']:,}",
            "forward FLOPs": f"{row['forward_flops_relative']:.3f}×",
            "training FLOPs": f"{row['training_flops_relative']:.3f}×",
        }
        for row in rows
    ]
    seeds = len(rows[0]["accuracy"])
    return (
        f"## Accuracy and agreement, {seeds} seeds\n\n"
        + markdown(table, {"together": ".2%"})
        + "\n\nStuck networks give every image the same class. FLOPs are relative to dense; training includes the "
        "pruning run wherever its masks are taken."
    )


def _beside(rows: Rows) -> str:
    table = [
        {
            "variant": NAMES.get(row["variant"], row["variant"]),
            "quantity": QUANTITIES.get(row["quantity"]) or _told(row["quantity"]),
            "paper": _number(row["paper"], row["paper_deviation"], row["quantity"]),
            "ours": _number(row["mean"], row["deviation"], row["quantity"]),
            "n": row["count"],
            "difference / σ": row["difference"],
        }
        for row in rows
    ]
    return (
        "## The paper's values and ours\n\n"
        + markdown(table, {"difference / σ": "+.1f"})
        + "\n\nσ is the standard deviation over our seeds and the paper's together, √(σ² + σ'²), as far as each is "
        "known; single numbers have none."
    )


def _told(quantity: str) -> str:
    what, _, at = quantity.partition("@")
    words = {"norm": "gradient norm at step", "loss": "training loss at α =", "signal": "std of outputs at sparsity"}
    return f"{words[what]} {at}"


def _number(value: float, deviation: float | None, quantity: str) -> str:
    percent = quantity in ("accuracy", "ensemble")
    form = ".2%" if percent else ".4f" if quantity.startswith("disagreement") else ".3g"
    told = f"{value:{form}}"
    if deviation is None:
        return told
    return f"{told} ± {f'{deviation:{form}}'.rstrip('%')}"


def _updates(rows: Rows) -> str:
    table = [{**row, "variant": NAMES[row["variant"]]} for row in rows]
    return "## Gradient norm across mask updates\n\n" + markdown(table, {"share_raised": ".0%"})


def _spectra(rows: Rows) -> str:
    table = [{**row, "variant": NAMES[row["variant"]]} for row in rows]
    return "## Hessian of the live weights around a mask update\n\n" + markdown(table)


def _barriers(found: Sequence[Line]) -> str:
    table = []
    for name in dict.fromkeys(line.name for line in found):
        own = [line.barrier for line in found if line.name == name]
        table.append(
            {
                "line to pruned from": NAMES[name],
                "loss barrier": spread([each["loss"] for each in own], ".3f"),
                "highest loss": spread([each["highest_loss"] for each in own], ".3f"),
                "accuracy barrier": spread([each["accuracy"] for each in own]),
            }
        )
    return "## Barriers on the line to the pruned network\n\n" + markdown(table)
