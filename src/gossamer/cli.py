"""The command line: ``gossamer quickstart | train | compare | methods | models | data``."""

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from gossamer._version import __version__
from gossamer.bench import session, tables
from gossamer.bench.data import download as fetch
from gossamer.bench.place import CHECKPOINT_SECONDS
from gossamer.bench.run import run
from gossamer.bench.show import Bars
from gossamer.bench.spec import Hard
from gossamer.bench.store import RunFolder
from gossamer.core.errors import SettingError, UserError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
console = Console(
    highlight=False, markup=False, width=None if sys.stdout.isatty() else 120
)  # a log has no width of its own

Data = Annotated[str, typer.Option(help="data set by name, or the path of an image folder or archive")]
Folder = Annotated[Path | None, typer.Option(help="where a named data set lies")]
Model = Annotated[str, typer.Option(help="network by name, or package.module:factory")]
Epochs = Annotated[int | None, typer.Option(help="passes over the training set; default: the model's preset")]
Batch = Annotated[int | None, typer.Option("--batch-size", help="images a step")]
Rate = Annotated[float | None, typer.Option("--lr", help="learning rate")]
Train = Annotated[list[str] | None, typer.Option("--train", help="any training setting, as name=value; repeatable")]
Set = Annotated[list[str] | None, typer.Option("--set", help="a method's setting, as method.name=value; repeatable")]
HardOption = Annotated[str | None, typer.Option("--hard", help="train on the hardest share only, such as el2n:0.5")]
ScoreModels = Annotated[int, typer.Option(help="networks averaged for the difficulty score")]
ScoreEpochs = Annotated[int | None, typer.Option(help="epochs before scoring; default: a tenth of the training")]
PerClass = Annotated[bool, typer.Option("--per-class", help="keep the same share of every class")]
Out = Annotated[Path, typer.Option(help="folder of all runs")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; default: torch's own")]
Checkpoint = Annotated[float, typer.Option(help="seconds between checkpoints")]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        console.print(f"gossamer {__version__}, torch {torch.__version__}")
        raise typer.Exit


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
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Train one network and evaluate it; killed anywhere, the same command goes on."""
    chosen = _hard(hard, score_models, score_epochs, per_class)
    shortcuts = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    settings = session.train_settings(model, shortcuts, train or [])
    bench = session.bench(data, folder, out, device, threads, checkpoint_seconds)
    spec = session.base(bench, data, model, settings, chosen)
    spec = session.with_method(spec, method, sparsity, seed, set_ or [])
    with Bars(console) as bars:
        bench, provenance = session.on_hardest(replace(bench, watch=bars), spec)
        result = run(spec, bench)
    place = RunFolder(out / spec.key)
    console.print(f"{bench.data.label}, {model}, {method}, seed {seed}: {provenance}")
    if (report := place.path / "report.txt").exists():
        console.print(report.read_text(), soft_wrap=True)
    console.print(
        f"test accuracy {result['test_accuracy']:.2%}  sparsity {result['sparsity']:.6f}  "
        f"training FLOPs {result['training_flops_relative']:.3f}× dense\n{place.path}",
        soft_wrap=True,
    )


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
    out: Out = Path("runs"),
    device: Device = "auto",
    threads: Threads = None,
    checkpoint_seconds: Checkpoint = CHECKPOINT_SECONDS,
) -> None:
    """Train dense and sparse networks on the same samples and say honestly which is better."""
    chosen = _hard(hard, score_models, score_epochs, per_class)
    shortcuts = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    settings = session.train_settings(model, shortcuts, train or [])
    bench = session.bench(data, folder, out, device, threads, checkpoint_seconds)
    spec = session.base(bench, data, model, settings, chosen)
    session.compare(console, bench, spec, _names(methods), _numbers(sparsity), seeds, set_ or [])


@app.command()
def quickstart(out: Out = Path("runs"), seeds: Annotated[int, typer.Option(min=1)] = 3) -> None:
    """Compare dense with eleven sparse methods on the hardest half of the digits, in minutes on a laptop."""
    session.quickstart(console, out, seeds)


@app.command()
def methods() -> None:
    """List what --method and --methods take, with the settings of each."""
    console.print(tables.methods())


@app.command()
def models() -> None:
    """List the networks with their sizes and costs."""
    console.print(tables.models())


@app.command("data")
def data_(
    download: Annotated[str | None, typer.Option(help="fetch this data set, with its checksum")] = None,
    folder: Folder = None,
) -> None:
    """List data sets, where they are and how to get what is missing."""
    if download is not None:
        for path in fetch(download, folder):
            console.print(f"{path}", soft_wrap=True)
    console.print(tables.data(folder))


def main() -> None:
    """Run the command line; what a user can mend is said in a line, without a traceback."""
    sys.path.insert(0, "")  # a network of the user's own lies beside them
    warnings.showwarning = _saying_each_once()
    try:
        app()
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        _fail(
            f"expected to read and write {error.filename or 'the files of the run'}, got: {error.strerror or error}; "
            "mend that and run the same command again: what was finished is kept"
        )


def _fail(message: str) -> None:
    Console(stderr=True, highlight=False, markup=False).print("error:", message, soft_wrap=True)
    sys.exit(1)


def _saying_each_once() -> Callable[..., None]:
    """What shows a warning: the same words once, however many runs they come from."""
    said: set[str] = set()

    def say(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            Console(stderr=True, highlight=False, markup=False).print("warning:", str(message), soft_wrap=True)

    return say


def _hard(text: str | None, models: int, epochs: int | None, per_class: bool) -> Hard | None:
    return None if text is None else Hard.parse(text, models=models, epochs=epochs, per_class=per_class)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> Sequence[float]:
    try:
        numbers = [float(part) for part in _names(text)]
        if not numbers:
            raise ValueError
        return numbers
    except ValueError:
        raise SettingError(f"expected sparsities as numbers with commas, such as 0.5,0.9, got {text!r}") from None


if __name__ == "__main__":
    main()
