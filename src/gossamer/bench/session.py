"""What the commands have in common: from words to runs, from runs to tables and figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console

from gossamer.bench import show
from gossamer.bench.compare import compare as run_grid
from gossamer.bench.compare import grid, measures
from gossamer.bench.comparison import comparison, notes
from gossamer.bench.data import load
from gossamer.bench.described import described
from gossamer.bench.difficulty import PLAIN, Difficulty, Hard
from gossamer.bench.models.families import factory_of, source_of
from gossamer.bench.parse import parse
from gossamer.bench.place import CHECKPOINT_SECONDS, Bench, environment
from gossamer.bench.prepare import prepare
from gossamer.bench.recipes import find
from gossamer.bench.settings import TrainSettings, preset
from gossamer.bench.sheets import sheets
from gossamer.bench.spec import Origin, RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.figure.accuracy import accuracy

QUICKSTART_METHODS = (
    "small_dense", "random", "set", "rigl", "mest", "granet", "gmp", "snip", "grasp", "synflow", "lth", "omp"
)  # fmt: skip
QUICKSTART_SPARSITIES = (0.8, 0.95)


def train_settings(model: str, shortcuts: Mapping[str, Any], texts: Sequence[str]) -> TrainSettings:
    """The model's preset with what the user changed.

    Args:
        model: name of the network.
        shortcuts: values that have an option of their own; None is not given.
        texts: any others, as ``name=value``.

    Returns:
        The settings.

    Example:
        >>> train_settings("lenet5", {"lr": None}, ["epochs=2"]).epochs
        2
    """
    factory_of(model)  # an unknown name is told before anything is loaded
    given = dict(_pair(text, "--train") for text in texts)
    given |= {name: value for name, value in shortcuts.items() if value is not None}
    return replace(preset(model), **parse(TrainSettings, given))


def bench(
    data: str, folder: Path | None, out: Path, device: str, threads: int | None, checkpoint_seconds: float
) -> Bench:
    """The place where runs happen.

    Args:
        data: name or path of the data set.
        folder: where a named one lies.
        out: folder of all runs.
        device: ``"cpu"``, ``"cuda"``, ... or ``"auto"``.
        threads: of the CPU; None is torch's own choice.
        checkpoint_seconds: between checkpoints.

    Returns:
        The bench, watched by nobody yet.
    """
    return Bench(load(data, folder=folder), out, place(device, threads), checkpoint_seconds=checkpoint_seconds)


def place(device: str, threads: int | None) -> torch.device:
    """The device that is asked for, with so many threads of the CPU.

    Args:
        device: ``"cpu"``, ``"cuda"``, ... or ``"auto"``.
        threads: None is torch's own choice.

    Returns:
        The device, tried.

    Raises:
        SettingError: no such device.
    """
    use_threads(threads)
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        found = torch.ones(1, device=name).device
        torch.ones(1, device=found).item()  # "meta" holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise SettingError(f"expected a device such as cpu or cuda, got {device!r}: {reason}") from None
    return found


def use_threads(threads: int | None) -> None:
    """Let torch use so many threads of the CPU.

    Args:
        threads: None is torch's own choice.

    Raises:
        SettingError: fewer than one.
    """
    if threads is None:
        return
    if threads < 1:
        raise SettingError(f"expected at least 1 thread, got {threads}")
    torch.set_num_threads(threads)


def base(bench: Bench, data: str, model: str, settings: TrainSettings, difficulty: Difficulty = PLAIN) -> RunSpec:
    """What all runs of a command share, as a dense run."""
    return RunSpec(
        data=bench.data.name or data, fingerprint=bench.data.fingerprint, model=model, code=source_of(model),
        recipe="dense", train=settings, keep=difficulty.keep, hard=difficulty.hard, corrupted=difficulty.corrupted,
        adversarial=difficulty.adversarial,
    )  # fmt: skip


def with_method(
    spec: RunSpec, method: str, sparsity: float, seed: int, texts: Sequence[str], origin: Origin | None = None
) -> RunSpec:
    """One run of a method; settings may be given with or without the method's name before them.

    Args:
        spec: what it shares with others.
        method: name of its recipe.
        sparsity: share of zeros; that of the origin where there is one.
        seed: of the run.
        texts: settings.
        origin: the run that masks come from.

    Returns:
        The run.
    """
    recipe = find(method, given_masks=origin is not None)
    texts = [text if text.split("=")[0].count(".") else f"{method}.{text}" for text in texts]
    settings = method_settings([method], texts)[method]
    words = recipe.words(method, settings)
    level = sparsity if origin is None else origin.run.sparsity
    return replace(
        spec, recipe=method, sparsity=level if recipe.sparse else 0.0, seed=seed, settings=words, origin=origin
    )


def origin_of(folder: Path | None, weights: str | None) -> Origin | None:
    """The run that masks come from, by its folder.

    Args:
        folder: of the run; None is none.
        weights: ``own``, ``initial`` or ``final``; None is ``own``.

    Returns:
        The origin, or None.

    Raises:
        SettingError: weights without a run, or a dense run.
    """
    if folder is None:
        if weights is not None:
            raise SettingError("expected --from with --weights, which would do nothing without it; add it")
        return None
    run = described(RunFolder(folder))
    if run.sparsity == 0 or run.recipe == "small_dense":
        raise SettingError(f"expected --from a run with masks, got {run.recipe} in {folder}; name a sparse run")
    return Origin(run=run, weights=weights or "own")  # type: ignore[arg-type]  # checked by Origin itself


def method_settings(methods: Sequence[str], texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """The given settings by method, from ``method.name=value``.

    Args:
        methods: whose settings are wanted.
        texts: what the user gave.

    Returns:
        For each method the settings that were given, as text.

    Raises:
        SettingError: the text has not this form.
        UnknownNameError: the method is not among those that run.

    Example:
        >>> method_settings(["lth"], ["lth.rounds=3"])
        {'lth': {'rounds': '3'}}
    """
    given: dict[str, dict[str, str]] = {name: {} for name in methods}
    for text in texts:
        path, value = _pair(text, "--set")
        method, dot, name = path.partition(".")
        if not dot:
            raise SettingError(f"expected --set METHOD.NAME=VALUE, such as rigl.every=20, got {text!r}")
        if method not in given:
            raise UnknownNameError("method in --set", method, given)
        given[method][name] = value
    return given


def compare(
    console: Console,
    bench: Bench,
    spec: RunSpec,
    methods: Sequence[str],
    sparsities: Sequence[float],
    seeds: int,
    texts: Sequence[str],
) -> Path:
    """Run the grid, print the table and its verdict, write table and figure.

    Args:
        console: where to print.
        bench: where runs happen.
        spec: what all runs share.
        methods: names of recipes.
        sparsities: shares of zeros.
        seeds: runs of each.
        texts: settings, as ``method.name=value``.

    Returns:
        The folder of table and figure.
    """
    specs = grid(spec, methods, sparsities, range(seeds), method_settings(["dense", *methods], texts))
    with show.Bars(console, len(specs)) as bars:
        prepared = prepare(spec, replace(bench, watch=bars))
        rows = run_grid(specs, prepared.bench, bars.advance)
    epochs = f"{spec.train.epochs} epoch{'s' if spec.train.epochs > 1 else ''}"
    title = f"{bench.data.label}, {spec.model}, {epochs}\n{prepared.words}"
    digest = sha256(" ".join(each.key for each in specs).encode()).hexdigest()[:12]
    folder = RunFolder(bench.out / f"compare-{spec.model}-{digest}".replace(":", "_"))
    places = _environments(specs, bench)
    told = measures(spec)
    labels = {measure.prefix: measure.label for measure in told}
    setup = {"title": title, "measures": labels, "runs": [each.key for each in specs], "environments": places}
    folder.write("table.csv", pd.DataFrame(rows).to_csv(index=False).encode())
    folder.write("table.json", json.dumps({**setup, "rows": rows}, indent=1).encode())
    paths = accuracy(rows, title, folder.path / "accuracy", labels)
    paths += sheets(prepared, specs[0], title, folder.path)
    console.print(comparison(rows, title, told, console.width))
    console.print(show.verdicts(rows, told))
    for warning in _warnings(specs, bench):
        console.print(f"Beware: {warning}")
    if places != [environment(bench.device)]:
        console.print(f"Some of these runs were made elsewhere or by other versions: {places}")
    console.print(notes(rows, told, console.width))
    for path in (folder.path / "table.csv", folder.path / "table.json", *paths):
        console.print(f"{path}", soft_wrap=True)
    return folder.path


def _warnings(specs: Sequence[RunSpec], bench: Bench) -> list[str]:
    """What may be wrong with accuracies under attack, by run."""
    found = []
    for spec in specs:
        result = RunFolder(bench.out / spec.key).result() or {}
        found += [
            f"{spec.recipe} at {spec.sparsity:g}, seed {spec.seed}: {each}" for each in result.get("warnings", [])
        ]
    return found


def _environments(specs: Sequence[RunSpec], bench: Bench) -> list[dict[str, Any]]:
    """Where the runs were made: versions and machine, each combination once."""
    found: list[dict[str, Any]] = []
    for spec in specs:
        place = RunFolder(bench.out / spec.key).read_json("env.json")
        if place not in found:
            found.append(place)
    return found


def quickstart(console: Console, out: Path, seeds: int) -> Path:
    """The main job on the embedded data: dense and sparse on the hardest half of the digits."""
    # one thread: steps of a millisecond gain nothing from two, and lose much on a busy machine
    digits = bench("digits", None, out, "cpu", 1, CHECKPOINT_SECONDS)
    settings = train_settings("convnet", {"epochs": 20, "batch_size": 64}, [])
    spec = base(digits, "digits", "convnet", settings, Difficulty(hard=Hard(keep=0.5)))
    # 240 steps: the published interval of 100 would let RigL rewire once
    return compare(console, digits, spec, QUICKSTART_METHODS, QUICKSTART_SPARSITIES, seeds, ["rigl.every=5"])


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SettingError(f"expected {option} NAME=VALUE, got {text!r}")
    return name.strip(), value.strip()
