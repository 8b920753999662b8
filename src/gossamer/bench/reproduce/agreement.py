"""P3's table: the accuracy of each variant, of five together, and how often they decide differently."""

from statistics import mean, stdev
from typing import Any

import torch

from gossamer.analyze.landscape.agreement import disagreement, disagreements
from gossamer.analyze.landscape.ensemble import ensemble_accuracy
from gossamer.bench.reproduce.done import Done


def agreement(done: Done) -> list[dict[str, Any]]:
    """One row a variant.

    Args:
        done: the experiment.

    Returns:
        variant, each seed's ``accuracy``, how many of them are ``stuck`` at one class, the accuracy of the
        ``ensemble`` with its 95 % interval over test images, the ``disagreement`` of each pair of seeds and of each
        seed with the pruned network whose masks all take (that network itself left out), live parameters and costs.
    """
    return [_row(done, name) for name in done.runs]


def _row(done: Done, name: str) -> dict[str, Any]:
    outputs, labels = done.outputs(name), done.bench.test.labels
    pruned = done.outputs("pruned")[0]
    others = outputs[1:] if name == "pruned" else outputs
    together = ensemble_accuracy(outputs, labels)
    pairs = disagreements(outputs).rows() if len(outputs) > 1 else []
    result = done.runs[name][0].result
    return {
        "variant": name,
        "stuck": sum(len(each.argmax(1).unique()) == 1 for each in outputs),
        "accuracy": [run.result["test_accuracy"] for run in done.runs[name]],
        "ensemble": together.accuracy,
        "ensemble_low": together.low,
        "ensemble_high": together.high,
        "disagreement": [pair["disagreement"] for pair in pairs],
        "disagreement_pruned": [disagreement(each, pruned) for each in torch.unbind(others)],
        "live_parameters": result["live_parameters"],
        "forward_flops_relative": result["forward_flops_relative"],
        "training_flops_relative": result["training_flops_relative"],
    }


def measured(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """What ``agreement`` found, as numbers to stand beside the paper's.

    Args:
        rows: of ``agreement``.

    Returns:
        One number a seed or pair by variant and quantity.
    """
    found = {}
    for row in rows:
        for quantity in ("accuracy", "disagreement", "disagreement_pruned"):
            found[row["variant"], quantity] = row[quantity]
        found[row["variant"], "ensemble"] = [row["ensemble"]]
    return found


def spread(values: list[float], form: str = ".2%") -> str:
    """Mean and standard deviation in words.

    Example:
        >>> spread([0.98, 0.99]), spread([0.98]), spread([])
        ('98.50% ± 0.71', '98.00%', '')

    Returns:
        The words.
    """
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{mean(values):{form}} ± {f'{stdev(values):{form}}'.rstrip('%')}"
