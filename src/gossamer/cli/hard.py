"""``gossamer score | corrupt | evaluate``: how hard data is, harder data, and how a network stands it."""

from pathlib import Path
from typing import Annotated

import typer

from gossamer.bench import session
from gossamer.bench.corrupting import write
from gossamer.bench.data import load
from gossamer.bench.difficulty import Corrupted, Difficulty
from gossamer.bench.judging import judge
from gossamer.bench.place import CHECKPOINT_SECONDS
from gossamer.bench.scoring import score_all
from gossamer.bench.subject import subject
from gossamer.bench.trial import Trial
from gossamer.cli import options
from gossamer.cli.app import app, console
from gossamer.cli.options import (
    Batch,
    Checkpoint,
    CorruptTrain,
    Data,
    Device,
    Epochs,
    Family,
    Folder,
    Frost,
    Keep,
    Model,
    Out,
    Rate,
    ScoreEpochs,
    ScoreModels,
    Severity,
    Threads,
    Train,
)
from gossamer.core.errors import SettingError
from gossamer.hardness import SCORES

KINDS = "names with commas, p1 (3), standard (15), all (19) or bar (10); of grey images those that fit"


@app.command()
def score(
    data: Data = "digits",
    model: Model = "convnet",
    scores: Annotated[str, typer.Option(help="names with commas: el2n, grand, forgetting, ... or all")] = "el2n",
    folder: Folder = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    lr: Rate = None,
    train: Train = None,
    score_models: ScoreModels = 3,
    score_epochs: ScoreEpochs = None,
    corrupt_train: CorruptTrain = None,
    severity: Severity = None,
    family: Family = None,
    frost: Frost = None,
    keep: Keep = 1.0,
    format_: Annotated[str, typer.Option("--format", help="npz or parquet")] = "npz",
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Say how hard every training image is, how far scores and seeds agree, and draw the easiest and hardest."""
    names = list(SCORES) if scores == "all" else options.names(scores)
    shortcuts = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    settings = session.train_settings(model, shortcuts, train or [])
    bench = session.bench(data, folder, out, device, threads, checkpoint_seconds)
    difficulty = Difficulty(
        keep=keep, corrupted=options.corrupted(corrupt_train, severity, family, frost, bench.data.channels)
    )
    spec = session.base(bench, data, model, settings, difficulty)
    score_all(console, bench, spec, names, score_models, score_epochs, format_)


@app.command()
def corrupt(
    data: Data = "digits",
    to: Annotated[Path, typer.Option(help="folder of the corrupted set")] = Path("corrupted"),
    kinds: Annotated[
        str,
        typer.Option(
            help="names with commas, p1 (3), standard (15), all (19) or bar (10); grey images: those that fit"
        ),
    ] = "standard",
    severities: Annotated[str, typer.Option(help="with commas, 1 to 6")] = "1,2,3,4,5",
    split: Annotated[str, typer.Option(help="test or train")] = "test",
    layout: Annotated[str, typer.Option(help="cifar-c (an .npy a kind) or folders (a PNG an image)")] = "cifar-c",
    seed: int = 0,
    family: Family = None,
    frost: Frost = None,
    folder: Folder = None,
    threads: Threads = None,
) -> None:
    """Write a data set corrupted by every kind at every severity; interrupted, the same command goes on."""
    chosen = options.whole_numbers(severities, "severities", "1,3,5")
    session.use_threads(threads)
    clean = load(data, folder=folder)
    how = Corrupted.parse(kinds, clean.channels, seed=seed, family=family, frost=frost)
    write(console, clean, to, how, chosen, split, layout)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="folder of a finished run, or a file of weights")],
    corruptions: Annotated[
        str | None,
        typer.Option(
            help="names with commas, p1 (3), standard (15), all (19) or bar (10); grey images: those that fit"
        ),
    ] = None,
    severities: Annotated[
        str | None, typer.Option(help="with commas, 1 to 6; default: 1 to 5, or all of the corrupted set")
    ] = None,
    corrupted_set: Annotated[Path | None, typer.Option(help="folder of a corrupted set, instead of in memory")] = None,
    attack: Annotated[
        list[str] | None, typer.Option(help="such as pgd20, autoattack or pgd20:eps=4/255,norm=l2; repeatable")
    ] = None,
    images: Annotated[int | None, typer.Option(min=1, help="how many test images are attacked; default: all")] = None,
    baseline: Annotated[Path | None, typer.Option(help="another checkpoint, tried on the same images")] = None,
    data: Annotated[str | None, typer.Option(help="data set, where the checkpoint lies in no run's folder")] = None,
    model: Annotated[str | None, typer.Option(help="network, where the checkpoint lies in no run's folder")] = None,
    folder: Folder = None,
    family: Family = None,
    frost: Frost = None,
    seed: int = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="images at once")] = 250,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Try a trained network on corrupted and attacked images, beside a baseline if one is named."""
    if corruptions is None and corrupted_set is None and severities is not None:
        raise SettingError("expected --corruptions or --corrupted-set with --severities, which does nothing alone")
    chosen = None if severities is None else options.whole_numbers(severities, "severities", "1,3,5")
    place = session.place(device, threads)
    tried = subject(checkpoint, data, folder, model, place)
    beside = None if baseline is None else subject(baseline, data, folder, model, place)
    made = {"seed": seed, "family": family, "frost": frost}
    how = None if corruptions is None else Corrupted.parse(corruptions, tried.data.channels, **made)
    trial = Trial(
        corrupted=how, severities=chosen, folder=corrupted_set, attacks=tuple(attack or ()), images=images,
        batch_size=batch_size, seed=seed,
    )  # fmt: skip
    judge(console, tried, trial, beside)
