"""Dense against sparse over seeds: the grid of runs, and one honest table of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from gossamer.bench.place import Bench
from gossamer.bench.recipes import find
from gossamer.bench.run import run
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder

Row = dict[str, Any]
Entry = tuple[RunSpec, dict[str, Any], float]  # a run, its result, its seconds


@dataclass(frozen=True)
class Measure:
    """One accuracy that runs are compared by.

    Args:
        field: of ``result.json``.
        label: in words.
        prefix: of its columns; the first measure has none.
    """

    field: str
    label: str
    prefix: str = ""


def measures(spec: RunSpec) -> list[Measure]:
    """What runs of this kind are compared by, the hard measure first.

    Args:
        spec: one of the runs.

    Returns:
        One to three measures.
    """
    found = []
    if spec.adversarial is not None:
        found.append(Measure("robust_accuracy", f"accuracy under {spec.adversarial.tested}", "robust_"))
    if spec.corrupted is not None:
        found.append(Measure("test_accuracy", "accuracy on corrupted images", "corrupted_"))
    clean = "clean_accuracy" if spec.corrupted is not None else "test_accuracy"
    found.append(Measure(clean, "clean accuracy" if found else "test accuracy", "clean_"))
    return [replace(found[0], prefix=""), *found[1:]]


@dataclass(frozen=True)
class Difference:
    """Mean paired difference and its 95 % interval; ``low`` and ``high`` are None for one pair or equal differences."""

    mean: float
    low: float | None
    high: float | None


def paired(sparse: Sequence[float], dense: Sequence[float], confidence: float = 0.95) -> Difference:
    """The mean difference over pairs of one seed each, with Student's interval, as far as it lies in [-1, 1].

    Args:
        sparse: one accuracy in [0, 1] a seed.
        dense: the same seeds, in the same order.
        confidence: of the interval.

    Returns:
        The difference; few seeds make wide intervals (two: 12.7 standard errors, three: 4.3).

    Example:
        >>> paired([0.9, 0.8, 0.85], [0.8, 0.8, 0.8])
        Difference(mean=0.049..., low=-0.074..., high=0.174...)
        >>> paired([0.9, 0.2], [0.4, 0.3])
        Difference(mean=0.2, low=-1.0, high=1.0)
    """
    differences = [a - b for a, b in zip(sparse, dense, strict=True)]
    if len(differences) < 2:
        return Difference(mean(differences), None, None)
    error = stdev(differences) / sqrt(len(differences))
    if error < 1e-12:  # equal differences tell nothing of their spread, a test set only has so many images
        return Difference(mean(differences), None, None)
    half, middle = float(student.ppf((1 + confidence) / 2, len(differences) - 1)) * error, mean(differences)
    return Difference(middle, max(middle - half, -1.0), min(middle + half, 1.0))  # accuracies differ by 1 at most


def grid(
    base: RunSpec,
    methods: Iterable[str],
    sparsities: Sequence[float],
    seeds: Sequence[int],
    settings: Mapping[str, Mapping[str, str]],
) -> list[RunSpec]:
    """Dense and every method at every sparsity, each with every seed.

    Args:
        base: all fields that the runs share.
        methods: names of recipes; ``dense`` is always there, once.
        sparsities: shares of zeros.
        seeds: of the runs.
        settings: values for a recipe's settings, by recipe and name.

    Returns:
        The runs, seed by seed, so that a comparison that is stopped early has whole seeds.
    """
    names = ["dense", *(name for name in dict.fromkeys(methods) if name != "dense")]
    specs = []
    for seed, name in product(seeds, names):
        for sparsity in dict.fromkeys(sparsities) if find(name).sparse else (0.0,):
            words = find(name).words(name, settings.get(name, {}))
            specs.append(replace(base, recipe=name, sparsity=sparsity, seed=seed, settings=words))
    return specs


def compare(specs: Sequence[RunSpec], bench: Bench, after_run: Callable[[], None] = lambda: None) -> list[Row]:
    """Run what is not done yet and summarise over seeds.

    Args:
        specs: what ``grid`` gave.
        bench: where.
        after_run: called after each run.

    Returns:
        One row for each recipe and sparsity, dense first.
    """
    results = []
    for spec in specs:
        results.append((spec, run(spec, bench), _seconds(spec, bench)))
        after_run()
    dense = {spec.seed: result for spec, result, _ in results if spec.recipe == "dense"}
    groups: dict[tuple[str, float], list[Entry]] = {}
    for entry in results:
        groups.setdefault((entry[0].recipe, entry[0].sparsity), []).append(entry)
    return [_row(name, sparsity, entries, dense) for (name, sparsity), entries in groups.items()]


def _row(name: str, sparsity: float, entries: Sequence[Entry], dense: Mapping[int, Mapping[str, Any]]) -> Row:
    results = [result for _, result, _ in entries]
    accuracies: Row = {}
    for measure in measures(entries[0][0]):
        accuracies |= _measured(measure, name, entries, dense)
    return {
        "method": name,
        "asked_sparsity": sparsity,
        "sparsity": mean(result["sparsity"] for result in results),
        "seeds": len(entries),
        **accuracies,
        "live_parameters": mean(result["live_parameters"] for result in results),
        "forward_flops_relative": mean(result["forward_flops_relative"] for result in results),
        "training_flops_relative": mean(result["training_flops_relative"] for result in results),
        "seconds": mean(seconds for _, _, seconds in entries),
    }


def _measured(measure: Measure, name: str, entries: Sequence[Entry], dense: Mapping[int, Mapping[str, Any]]) -> Row:
    """Mean and spread over seeds of one accuracy, and its paired difference to dense."""
    own = [result[measure.field] for _, result, _ in entries]
    found = paired(own, [dense[spec.seed][measure.field] for spec, _, _ in entries])
    told = {"difference": found.mean, "difference_low": found.low, "difference_high": found.high}
    if name == "dense":
        told = dict.fromkeys(told)
    row = {"accuracy": mean(own), "accuracy_std": stdev(own) if len(own) > 1 else None, **told}
    return {f"{measure.prefix}{key}": value for key, value in row.items()}


def _seconds(spec: RunSpec, bench: Bench) -> float:
    """Wall-clock seconds of a run's own training; a shared dense phase is counted in the dense run."""
    timing = RunFolder(bench.out / spec.key).read_json("timing.json")
    return float(timing["seconds"])
