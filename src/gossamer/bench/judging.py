"""``gossamer evaluate``: a trained network on clean, corrupted and attacked images; each number is kept when found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from gossamer.attack import robust_accuracy
from gossamer.bench.adversarial import evaluation_attack
from gossamer.bench.findings import packed, tell_attacks, tell_corruptions
from gossamer.bench.on_disk import corrupted_set, identity
from gossamer.bench.prepare import family_for
from gossamer.bench.subject import Subject
from gossamer.bench.trial import Record, Trial
from gossamer.core.errors import DataError
from gossamer.corrupt import SEVERITIES, Robustness, robustness, robustness_of_set
from gossamer.corrupt.result import CLEAN, Cell


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
            other = _corruptions(baseline, planned(baseline, trial), trial, beside, progress, None)
        plan = planned(subject, trial)
        found = _corruptions(subject, plan, trial, record, progress, other)
        attacked = {text: _attack(subject, trial, record, text, progress) for text in trial.attacks}
        against = {}
        if baseline is not None and beside is not None:
            against = {text: _attack(baseline, trial, beside, text, progress) for text in trial.attacks}
    console.print(f"{subject.data.label}, {subject.name}: {subject.place}", soft_wrap=True)
    if baseline is not None:
        console.print(f"beside {baseline.name}: {baseline.place}", soft_wrap=True)
    written, second = [record.folder.path / record.name], [] if baseline is None else [baseline.digest]
    if found is not None and plan is not None:
        stem = _stem(subject, "corruptions", [*plan.keys.values(), *second])
        written += tell_corruptions(console, found, f"{subject.data.label}, {subject.name}", stem)
    if attacked:
        stem = _stem(subject, "attacks", [*(_attack_key(subject, trial, text) for text in attacked), *second])
        written += tell_attacks(console, attacked, against, stem)
    for path in written:
        console.print(f"{path}", soft_wrap=True)


@dataclass(frozen=True)
class Plan:
    """What is to be measured on corrupted images.

    Args:
        call: measures it.
        keys: of each number in the record, by kind and severity.
    """

    call: Callable[..., Robustness]
    keys: Mapping[Cell, str]


def _stem(subject: Subject, what: str, keys: Iterable[str]) -> Path:
    """A path beside the weights without ending; other numbers get other names, so that none is overwritten."""
    digest = sha256("\n".join(keys).encode()).hexdigest()[:8]
    return subject.place.parent / f"{subject.place.stem}-{what}-{digest}"


def planned(subject: Subject, trial: Trial) -> Plan | None:
    """What a trial asks of corrupted images, None if nothing.

    Args:
        subject: the network.
        trial: what it is tried on.

    Returns:
        The plan; a set on the disk has been checked.
    """
    how, data = trial.corrupted, subject.data
    clean = data.test_images, data.test_labels
    if trial.folder is not None:
        files = corrupted_set(trial.folder, data, None if how is None else how.kinds, trial.severities)
        call = partial(robustness_of_set, subject.model, files, clean=clean, severities=files.severities)
        return Plan(call, _keys(dict.fromkeys(files.kinds, identity(files)), files.severities))
    if how is None:
        return None
    family, severities = family_for(how, data.image_size), trial.severities or SEVERITIES
    frost = f", {how.resolved_frost()}"
    where = {kind: f"{family}, seed {how.seed}{frost if kind == 'frost' else ''}" for kind in how.kinds}
    recipe: Any = {"seed": how.seed, "family": family, "frost": how.frost}
    call = partial(robustness, subject.model, *clean, kinds=how.kinds, severities=severities, **recipe)
    return Plan(call, _keys(where, severities))


def _keys(where: Mapping[str, str], severities: Sequence[int]) -> dict[Cell, str]:
    cells = {(kind, each): f"{place}|{kind}|{each}" for kind, place in where.items() for each in severities}
    return {CLEAN: "clean", **cells}


def _corruptions(
    subject: Subject, plan: Plan | None, trial: Trial, record: Record, progress: Progress, baseline: Robustness | None
) -> Robustness | None:
    """What is known already is taken from the record, every new number is put there at once."""
    if plan is None:
        return None
    known = {cell: record.get(key) for cell, key in plan.keys.items() if record.get(key) is not None}
    task = progress.add_task(f"corruptions, {subject.name}", total=len(plan.keys), completed=len(known))

    def after(kind: str, severity: int, accuracy: float) -> None:
        record.put(plan.keys[kind, severity], accuracy)
        progress.advance(task)

    return plan.call(baseline=baseline, batch_size=trial.batch_size, known=known, after=after)


def _attack_key(subject: Subject, trial: Trial, text: str) -> str:
    return f"{evaluation_attack(text)!r} on {_count(subject, trial)}, seed {trial.seed}"


def _count(subject: Subject, trial: Trial) -> int:
    every = len(subject.data.test_labels)
    return every if trial.images is None else min(trial.images, every)


def _attack(subject: Subject, trial: Trial, record: Record, text: str, progress: Progress) -> dict[str, Any]:
    """Clean and robust accuracy under one attack, image by image."""
    data, count, key = subject.data, _count(subject, trial), _attack_key(subject, trial, text)
    if record.get(key) is None:
        task = progress.add_task(f"{text}, {subject.name}", total=None)
        told = robust_accuracy(
            subject.model, data.test_images[:count], data.test_labels[:count], evaluation_attack(text),
            batch_size=trial.batch_size, seed=trial.seed,
        )  # fmt: skip
        record.put(key, {
            "attack": text, "images": count, "seed": trial.seed,
            "clean": _numbers(told.clean), "robust": _numbers(told.robust),
            "clean_right": packed(told.clean_right), "robust_right": packed(told.robust_right),
            "warnings": list(told.warnings),
        })  # fmt: skip
        progress.remove_task(task)
    return dict(record.get(key))


def _numbers(share: Any) -> list[float]:
    return [share.value, share.low, share.high]
