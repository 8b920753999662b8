"""``gossamer evaluate``: a trained network on clean, corrupted and attacked images; each number is kept when found."""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from gossamer.attack import paired, robust_accuracy
from gossamer.bench.adversarial import evaluation_attack
from gossamer.bench.on_disk import corrupted_set, identity
from gossamer.bench.prepare import family_for
from gossamer.bench.subject import Subject
from gossamer.bench.trial import Record, Trial
from gossamer.core.errors import DataError
from gossamer.corrupt import Robustness, robustness, robustness_of_set
from gossamer.figure.grid import grid

SEVERITIES = (1, 2, 3, 4, 5)  # the published ones


def judge(console: Console, subject: Subject, trial: Trial, baseline: Subject | None = None) -> None:
    """Try a network, print and write what was found; interrupted, it goes on where it was.

    Args:
        console: where to print.
        subject: the network.
        trial: what it is tried on.
        baseline: another network, tried on the same and compared with.

    Raises:
        DataError: the baseline is of another data set, or the corrupted set is not of this one.
    """
    if baseline is not None and baseline.data.fingerprint != subject.data.fingerprint:
        raise DataError(
            f"expected a baseline that is tried on the same images, but {baseline.place} is of {baseline.data.label} "
            f"and {subject.place} of {subject.data.label}, of other content; name the data of both with --data"
        )
    record = Record(subject)
    beside = None if baseline is None else Record(baseline)
    with Progress(console=console, transient=True) as progress:
        other = None
        if baseline is not None and beside is not None:
            other = _corruptions(baseline, trial, beside, progress, None)
        found = _corruptions(subject, trial, record, progress, other)
        attacked = {text: _attack(subject, trial, record, text, progress) for text in trial.attacks}
        against = {}
        if baseline is not None and beside is not None:
            against = {text: _attack(baseline, trial, beside, text, progress) for text in trial.attacks}
    console.print(f"{subject.data.label}, {subject.name}: {subject.place}", soft_wrap=True)
    if baseline is not None:
        console.print(f"beside {baseline.name}: {baseline.place}", soft_wrap=True)
    if found is not None:
        _tell_corruptions(console, subject, found)
    if attacked:
        _tell_attacks(console, attacked, against)
    console.print(f"{record.folder.path / record.name}", soft_wrap=True)


# corruptions


def _corruptions(
    subject: Subject, trial: Trial, record: Record, progress: Progress, baseline: Robustness | None
) -> Robustness | None:
    """Accuracy by kind and severity, None if nothing of that was asked for."""
    how, data = trial.corrupted, subject.data
    clean = data.test_images, data.test_labels
    if trial.folder is not None:
        files = corrupted_set(trial.folder, data, None if how is None else how.kinds, trial.severities)
        where = dict.fromkeys(files.kinds, identity(files))
        call = partial(robustness_of_set, subject.model, files, clean=clean, severities=files.severities)
        return _measured(call, where, files.severities, subject, trial, record, progress, baseline)
    if how is None:
        return None
    family, severities = family_for(how, data.image_size), trial.severities or SEVERITIES
    frost = f", {how.resolved_frost()}"
    where = {kind: f"{family}, seed {how.seed}{frost if kind == 'frost' else ''}" for kind in how.kinds}
    recipe: Any = {"seed": how.seed, "family": family, "frost": how.frost}
    call = partial(robustness, subject.model, *clean, kinds=how.kinds, severities=severities, **recipe)
    return _measured(call, where, severities, subject, trial, record, progress, baseline)


def _measured(
    call: Callable[..., Robustness],
    where: Mapping[str, str],
    severities: Sequence[int],
    subject: Subject,
    trial: Trial,
    record: Record,
    progress: Progress,
    baseline: Robustness | None,
) -> Robustness:
    """What is known already is taken from the record, every new number is put there at once."""
    cells = {(kind, each): f"{place}|{kind}|{each}" for kind, place in where.items() for each in severities}
    keys = {("clean", 0): "clean", **cells}
    known = {cell: record.get(key) for cell, key in keys.items() if record.get(key) is not None}
    task = progress.add_task(f"corruptions, {subject.name}", total=len(keys), completed=len(known))

    def after(kind: str, severity: int, accuracy: float) -> None:
        record.put(keys[kind, severity], accuracy)
        progress.advance(task)

    return call(baseline=baseline, batch_size=trial.batch_size, known=known, after=after)


def _tell_corruptions(console: Console, subject: Subject, found: Robustness) -> None:
    severities = sorted({severity for _, severity in found.accuracy if severity})
    table = Table(title=f"accuracy %, {found.source}", box=box.SIMPLE_HEAD, title_justify="left")
    heads = ["kind", *(f"severity {each}" for each in severities), "mean", *(["gain %"] if found.baseline else [])]
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=True)
    for kind, mean in found.by_kind.items():
        cells = [f"{100 * found.accuracy[kind, each]:.2f}" for each in severities]
        table.add_row(kind, *cells, f"{100 * mean:.2f}", *([_gain(found, kind)] if found.baseline else []))
    console.print(table)
    console.print(str(found).split("\n")[0] + (f", clean {found.clean:.2%}" if found.clean is not None else ""))
    console.print(
        f"mean of {found.means} {found.mean:.2%}" + (f"; mCE {found.mce:.2%}" if found.mce is not None else "")
    )
    values = [[100 * found.accuracy[kind, each] for each in severities] for kind in found.kinds]
    title = f"{subject.data.label}, {subject.name}\naccuracy % by corruption and severity, {found.source}"
    stem = subject.place.parent / f"{subject.place.stem}-corruptions"
    for path in grid(values, found.kinds, [str(each) for each in severities], title, stem):
        console.print(f"{path}", soft_wrap=True)


def _gain(found: Robustness, kind: str) -> str:
    """Mean relative gain over the baseline, P2's measure."""
    gains = [gain for (name, _), gain in found.gain.items() if name == kind and gain is not None]
    return f"{100 * sum(gains) / len(gains):+.2f}" if gains else ""


# attacks


def _attack(subject: Subject, trial: Trial, record: Record, text: str, progress: Progress) -> dict[str, Any]:
    """Clean and robust accuracy under one attack, image by image."""
    data = subject.data
    count = len(data.test_labels) if trial.images is None else min(trial.images, len(data.test_labels))
    attack = evaluation_attack(text)
    key = f"{attack!r} on {count}"
    if record.get(key) is None:
        task = progress.add_task(f"{text}, {subject.name}", total=None)
        told = robust_accuracy(
            subject.model, data.test_images[:count], data.test_labels[:count], attack, batch_size=trial.batch_size
        )
        record.put(key, {
            "attack": text, "images": count, "clean": _numbers(told.clean), "robust": _numbers(told.robust),
            "clean_right": _packed(told.clean_right), "robust_right": _packed(told.robust_right),
            "warnings": list(told.warnings),
        })  # fmt: skip
        progress.remove_task(task)
    return dict(record.get(key))


def _numbers(share: Any) -> list[float]:
    return [share.value, share.low, share.high]


def _packed(right: torch.Tensor) -> str:
    return base64.b64encode(np.packbits(right.cpu().numpy()).tobytes()).decode()


def _right(found: dict[str, Any], name: str) -> torch.Tensor:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found[name]), np.uint8), count=found["images"])
    return torch.from_numpy(bits).bool()


def _tell_attacks(console: Console, found: dict[str, dict[str, Any]], against: dict[str, dict[str, Any]]) -> None:
    table = Table(title="accuracy %, with Wilson's 95 % interval", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("attack", no_wrap=True)
    for head in ("images", "clean", "robust", *(("robust, against the other", "McNemar p") if against else ())):
        table.add_column(head, justify="right")
    for text, each in found.items():
        more = _compared(each, against[text]) if against else []
        table.add_row(text, f"{each['images']:,}", _share(each["clean"]), _share(each["robust"]), *more)
    console.print(table)
    for text, each in found.items():
        for warning in each["warnings"]:
            console.print(f"Beware, {text}: {warning}")


def _share(numbers: Sequence[float]) -> str:
    value, low, high = (100 * number for number in numbers)
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _compared(own: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The paired difference on the same images."""
    found = paired(_right(own, "robust_right"), _right(other, "robust_right"))
    points = [f"{100 * number:+.2f}" for number in (found.difference, found.low, found.high)]
    return [f"{points[0]} [{points[1]}, {points[2]}]", f"{found.p_value:.2g}"]
