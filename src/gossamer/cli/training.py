"""``gossamer train | compare | quickstart``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gossamer.bench import session
from gossamer.bench.compare import measures
from gossamer.bench.difficulty import Difficulty
from gossamer.bench.place import CHECKPOINT_SECONDS
from gossamer.bench.prepare import prepare
from gossamer.bench.run import run
from gossamer.bench.show import Bars
from gossamer.bench.store import RunFolder
from gossamer.cli import options
from gossamer.cli.app import app, console
from gossamer.cli.options import (
    AdversarialOption,
    AttackImages,
    Batch,
    Checkpoint,
    CorruptTrain,
    Data,
    Device,
    Drop,
    Epochs,
    EvalAttack,
    Family,
    Folder,
    From,
    Frost,
    HardOption,
    Keep,
    Model,
    Out,
    PerClass,
    Rate,
    ScoreEpochs,
    ScoreModels,
    Set,
    Severity,
    Snapshots,
    Threads,
    TraceEvery,
    Train,
    Weights,
)


@app.command()
def train(
    data: Data = "digits",
    model: Model = "convnet",
    method: Annotated[str, typer.Option(help="see `gossamer methods`")] = "rigl",
    sparsity: Annotated[float, typer.Option(help="share of zeros in [0, 1); dense ignores it")] = 0.9,
    seed: int = 0,
    folder: Folder = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    lr: Rate = None,
    train: Train = None,
    set_: Set = None,
    hard: HardOption = None,
    score_models: ScoreModels = 3,
    score_epochs: ScoreEpochs = None,
    per_class: PerClass = False,
    drop_hardest: Drop = 0.0,
    corrupt_train: CorruptTrain = None,
    severity: Severity = None,
    family: Family = None,
    frost: Frost = None,
    adversarial: AdversarialOption = None,
    eval_attack: EvalAttack = None,
    attack_images: AttackImages = None,
    keep: Keep = 1.0,
    from_: From = None,
    weights: Weights = None,
    trace: TraceEvery = None,
    snapshots: Snapshots = None,
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Train one network and evaluate it; killed anywhere, the same command goes on."""
    shortcuts = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    settings = session.train_settings(model, shortcuts, train or [])
    bench = session.bench(data, folder, out, device, threads, checkpoint_seconds)
    chosen = Difficulty(
        keep=keep,
        hard=options.hard(hard, score_models, score_epochs, per_class, drop_hardest),
        corrupted=options.corrupted(corrupt_train, severity, family, frost, bench.data.channels),
        adversarial=options.adversarial(adversarial, eval_attack, attack_images),
    )
    spec = session.base(bench, data, model, settings, chosen)
    origin = session.origin_of(from_, weights)
    spec = session.with_method(spec, method, sparsity, seed, set_ or [], origin)
    spec = replace(spec, trace=options.trace(trace, snapshots))
    with Bars(console) as bars:
        prepared = prepare(spec, replace(bench, watch=bars))
        result = run(spec, prepared.bench)
    place = RunFolder(out / spec.key)
    console.print(f"{bench.data.label}, {model}, {method}, seed {seed}: {prepared.words}")
    if (report := place.path / "report.txt").exists():
        console.print(report.read_text(), soft_wrap=True)
    accuracies = "  ".join(f"{each.label} {result[each.field]:.2%}" for each in measures(spec))
    console.print(
        f"{accuracies}  sparsity {result['sparsity']:.6f}  "
        f"training FLOPs {result['training_flops_relative']:.3f}× dense\n{place.path}",
        soft_wrap=True,
    )
    for warning in result.get("warnings", []):
        console.print(f"Beware: {warning}")


@app.command()
def compare(
    data: Data = "digits",
    model: Model = "convnet",
    methods: Annotated[str, typer.Option(help="names with commas, see `gossamer methods`")] = "set,rigl,gmp,snip",
    sparsity: Annotated[str, typer.Option(help="shares of zeros with commas")] = "0.5,0.9",
    seeds: Annotated[int, typer.Option(min=1, help="runs of each; seeds 0, 1, ...")] = 3,
    folder: Folder = None,
    epochs: Epochs = None,
    batch_size: Batch = None,
    lr: Rate = None,
    train: Train = None,
    set_: Set = None,
    hard: HardOption = None,
    score_models: ScoreModels = 3,
    score_epochs: ScoreEpochs = None,
    per_class: PerClass = False,
    drop_hardest: Drop = 0.0,
    corrupt_train: CorruptTrain = None,
    severity: Severity = None,
    family: Family = None,
    frost: Frost = None,
    adversarial: AdversarialOption = None,
    eval_attack: EvalAttack = None,
    attack_images: AttackImages = None,
    keep: Keep = 1.0,
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Train dense and sparse networks on the same samples and say honestly which is better."""
    shortcuts = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    settings = session.train_settings(model, shortcuts, train or [])
    bench = session.bench(data, folder, out, device, threads, checkpoint_seconds)
    chosen = Difficulty(
        keep=keep,
        hard=options.hard(hard, score_models, score_epochs, per_class, drop_hardest),
        corrupted=options.corrupted(corrupt_train, severity, family, frost, bench.data.channels),
        adversarial=options.adversarial(adversarial, eval_attack, attack_images),
    )
    spec = session.base(bench, data, model, settings, chosen)
    session.compare(console, bench, spec, options.names(methods), options.numbers(sparsity), seeds, set_ or [])


@app.command()
def quickstart(out: Out = Path("runs"), seeds: Annotated[int, typer.Option(min=1)] = 3) -> None:
    """Compare dense with eleven sparse methods on the hardest half of the digits, in minutes on a laptop."""
    session.quickstart(console, out, seeds)
