"""What the commands are told: one option each, and how words become settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gossamer.bench.adversarial import Adversarial
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.trace import Trace
from gossamer.core.errors import SettingError

Data = Annotated[str, typer.Option(help="data set by name, or the path of an image folder or archive")]
Folder = Annotated[Path | None, typer.Option(help="where a named data set lies")]
Model = Annotated[str, typer.Option(help="network by name, or package.module:factory")]
Epochs = Annotated[int | None, typer.Option(help="passes over the training set; default: the model's preset")]
Batch = Annotated[int | None, typer.Option("--batch-size", help="images a step")]
Rate = Annotated[float | None, typer.Option("--lr", help="learning rate")]
Train = Annotated[list[str] | None, typer.Option("--train", help="any training setting, as name=value; repeatable")]
Set = Annotated[list[str] | None, typer.Option("--set", help="a method's setting, as method.name=value; repeatable")]
HardOption = Annotated[
    str | None, typer.Option("--hard", help="train on the hardest share only, such as el2n:0.5 or grand:0.3")
]
ScoreModels = Annotated[int, typer.Option(help="networks averaged for the difficulty score")]
ScoreEpochs = Annotated[int | None, typer.Option(help="epochs before scoring; default: a tenth of the training")]
PerClass = Annotated[bool, typer.Option("--per-class", help="keep the same share of every class")]
Drop = Annotated[float, typer.Option(help="share of the very hardest to leave out, where wrong labels gather")]
Keep = Annotated[float, typer.Option(help="random share of the training set, the same images in all runs")]
CorruptTrain = Annotated[
    str | None, typer.Option(help="corrupt training and test images: names with commas, p1, standard or all")
]
Severity = Annotated[int | None, typer.Option(help="of the corruption, 1 to 6; default: 5")]
Family = Annotated[str | None, typer.Option(help="corruption constants: cifar-c, tinyimagenet-c, imagenet-c")]
Frost = Annotated[str | None, typer.Option(help="folder of the frost photographs, or procedural")]
AdversarialOption = Annotated[
    str | None,
    typer.Option("--adversarial", help="attack every training batch, such as pgd10, or none of them"),
]
EvalAttack = Annotated[
    str | None, typer.Option(help="attack on the test set of adversarial runs; default: pgd20 within the same radius")
]
AttackImages = Annotated[int | None, typer.Option(help="how many test images are attacked; default: all")]
From = Annotated[
    Path | None, typer.Option("--from", help="folder of a sparse run: start from its masks (--method static, set, ...)")
]
Weights = Annotated[
    str | None, typer.Option(help="with --from: own (default), initial or final weights of that run to start from")
]
TraceEvery = Annotated[
    int | None, typer.Option("--trace", help="measure gradient flow every so many steps, and around mask updates")
]
Snapshots = Annotated[
    str | None, typer.Option(help="with --trace: steps, with commas, around whose mask updates weights are kept")
]
Out = Annotated[Path, typer.Option(help="folder of all runs")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; default: torch's own")]
Checkpoint = Annotated[float, typer.Option(help="seconds between checkpoints")]


def hard(text: str | None, models: int, epochs: int | None, per_class: bool, drop: float) -> Hard | None:
    """--hard and what goes with it."""
    if text is None:
        _alone("--hard", {"--score-epochs": epochs, "--per-class": per_class, "--drop-hardest": drop})
        return None
    return Hard.parse(text, models=models, epochs=epochs, per_class=per_class, drop=drop)


def corrupted(
    text: str | None, severity: int | None, family: str | None, frost: str | None, channels: int
) -> Corrupted | None:
    """--corrupt-train and what goes with it."""
    if text is None:
        _alone("--corrupt-train", {"--severity": severity, "--family": family, "--frost": frost})
        return None
    how = {} if severity is None else {"severity": severity}
    return Corrupted.parse(text, channels, family=family, frost=frost, **how)


def adversarial(train: str | None, evaluate: str | None, images: int | None) -> Adversarial | None:
    """--adversarial and what goes with it."""
    if train is None:
        _alone("--adversarial", {"--eval-attack": evaluate, "--attack-images": images})
        return None
    return Adversarial(train=None if train == "none" else train, evaluate=evaluate, images=images)


def trace(every: int | None, snapshots: str | None) -> Trace | None:
    """--trace and what goes with it."""
    if every is None:
        _alone("--trace", {"--snapshots": snapshots})
        return None
    steps = () if snapshots is None else whole_numbers(snapshots, "snapshots", "500,2000")
    return Trace(every=every, snapshots=steps)


def _alone(needed: str, given: Mapping[str, Any]) -> None:
    """Refuse options that would do nothing, as the one they belong to is not given."""
    if told := [name for name, value in given.items() if value]:
        raise SettingError(f"expected {needed} with {' and '.join(told)}, which would do nothing without it; add it")


def names(text: str) -> list[str]:
    """Names with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str) -> Sequence[float]:
    """Numbers with commas.

    Args:
        text: such as ``0.5,0.9``.

    Returns:
        At least one.

    Raises:
        SettingError: it is something else.
    """
    try:
        found = [float(part) for part in names(text)]
    except ValueError:
        found = []
    if not found:
        raise SettingError(f"expected sparsities as numbers with commas, such as 0.5,0.9, got {text!r}")
    return found


def whole_numbers(text: str, what: str, example: str) -> tuple[int, ...]:
    """Whole numbers with commas.

    Args:
        text: such as ``1,3,5``.
        what: they are, for the message.
        example: for the message.

    Returns:
        At least one.

    Raises:
        SettingError: it is something else.
    """
    try:
        found = tuple(int(part) for part in names(text))
    except ValueError:
        found = ()
    if not found:
        raise SettingError(f"expected {what} as whole numbers with commas, such as {example}, got {text!r}")
    return found
