"""Sheets of images for a comparison: what was hard, what corruption did, what an attack did."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.attack import named
from gossamer.bench.data import Dataset, seeded
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.place import Bench
from gossamer.bench.prepare import Prepared, family_for
from gossamer.bench.samples import as_input
from gossamer.bench.score import Scored, trained
from gossamer.bench.shown import first_of_each, name_of, picture, short
from gossamer.bench.spec import RunSpec
from gossamer.corrupt import corrupt_training
from gossamer.figure.sheet import Row, sheet
from gossamer.hardness import SCORES

EACH = 5  # images of a kind beside one another
CLASSES = 10  # at most, so that a sheet stays a page
CONTRAST = 10  # by which a change of a few levels is made visible


def hard_sheet(bench: Bench, scored: Scored, title: str, stem: Path, kept: Tensor | None = None) -> list[Path]:
    """The easiest and the hardest images of each class (P1's figure 1), with their scores.

    Args:
        bench: whose training images were scored.
        scored: their scores.
        title: of the sheet.
        stem: path without ending.
        kept: which of the images are trained on, bool (N,), to be framed; None frames none.

    Returns:
        The files.
    """
    samples, rows = bench.train.to("cpu"), []
    ties = False
    for label, name in list(enumerate(bench.data.classes))[:CLASSES]:
        own = (samples.labels == label).nonzero().flatten()
        order = own[torch.argsort(scored.mean[own], stable=True)]
        shown = [*order[:EACH].tolist(), *order[-EACH:].tolist()]
        ties = ties or _tied(scored.mean[order].tolist())
        words = [short(float(scored.mean[index])) for index in shown]
        marked = () if kept is None else kept[shown].tolist()
        rows.append(Row(name, [picture(samples.images[index]) for index in shown], words, marked))
    told = "; equal scores in the order of the data set" if ties else ""
    told += "" if kept is None else f"; framed: the {int(kept.sum()):,} that are trained on"
    return sheet(rows, f"{title}{told}{_few(bench)}", stem, columns=("easiest", "hardest"))


def corrupted_sheet(bench: Bench, how: Corrupted, title: str, stem: Path) -> list[Path]:
    """Test images as they were with their classes, and as they are tested on with their kinds of corruption.

    Args:
        bench: with its clean set.
        how: it was corrupted.
        title: of the sheet.
        stem: path without ending.

    Returns:
        The files.
    """
    assert bench.clean is not None
    shown = first_of_each(bench.data.test_labels, 2 * EACH)
    classes = [bench.data.classes[int(bench.data.test_labels[index])] for index in shown]
    rows = [
        Row("clean", [picture(bench.clean.test_images[index]) for index in shown], classes),
        Row(
            "corrupted", [picture(bench.data.test_images[index]) for index in shown], kinds_of(bench.clean, how, shown)
        ),
    ]
    return sheet(rows, title, stem)


def kinds_of(clean: Dataset, how: Corrupted, shown: Sequence[int]) -> list[str]:
    """The kind of corruption that each of some test images has got, in words.

    Args:
        clean: the data set before it was corrupted.
        how: it was corrupted.
        shown: numbers of test images.

    Returns:
        A kind for each.
    """
    settings: dict[str, Any] = {"seed": how.seed, "family": family_for(how, clean.image_size), "frost": how.frost}
    images = clean.test_images[torch.tensor(shown)]
    _, found = corrupt_training(images, how.kinds, how.severity, part="test", index=shown, **settings)
    return [how.kinds[number].replace("_", " ") for number in found.tolist()]


def attacked_sheet(bench: Bench, spec: RunSpec, title: str, stem: Path) -> list[Path]:
    """Test images, what the attack makes of them, and the change ten times as strong; with the network's answers.

    Args:
        bench: whose test images are attacked.
        spec: a finished run whose network is attacked.
        title: of the sheet.
        stem: path without ending.

    Returns:
        The files.
    """
    assert spec.adversarial is not None
    model = trained(spec, bench)
    shown = torch.tensor(first_of_each(bench.data.test_labels, 2 * EACH))
    inputs, labels = as_input(bench.test.images[shown], spec.train), bench.test.labels[shown]
    attack: Any = named(spec.adversarial.tested)
    changed = attack(model, inputs, labels, generator=seeded(0, 0, 5))
    change = (128 + CONTRAST * 255 * (changed - inputs)).clamp(0, 255)
    rows = [
        _answered("clean" if bench.clean is None else "corrupted", model, inputs, labels, bench.data.classes),
        _answered("attacked", model, changed, labels, bench.data.classes),
        Row(f"change ×{CONTRAST}", [picture(image) for image in change], [""] * len(shown)),
    ]
    legend = f"class → answer, framed if wrong; change ×{CONTRAST}: grey is none, brighter is more light, darker less"
    return sheet(rows, f"{title}\n{legend}", stem)


def _answered(label: str, model: nn.Module, images: Tensor, labels: Tensor, classes: Sequence[str]) -> Row:
    """Images with their classes and the network's answers, the wrong ones marked."""
    with torch.inference_mode():
        answers = model(images).argmax(1)
    words = [f"{classes[int(a)]} → {classes[int(b)]}" for a, b in zip(labels, answers, strict=True)]
    return Row(label, [picture(255 * image) for image in images], words, (answers != labels).tolist())


def sheets(prepared: Prepared, spec: RunSpec, title: str, folder: Path) -> list[Path]:
    """All sheets that a comparison of this kind has.

    Args:
        prepared: the data as the runs saw it.
        spec: a dense run, finished.
        title: of the comparison.
        folder: where to write.

    Returns:
        The files.
    """
    written: list[Path] = []
    scored = prepared.scored
    if scored is not None:
        told = f"{title}\nunder each image: {name_of(scored.name)}, {SCORES[scored.name].about}"
        written += hard_sheet(prepared.pool, scored, told, folder / "hard", kept(prepared))
    if prepared.bench.clean is not None and spec.corrupted is not None:
        told = f"{title}\nthe first test image of each class{_few(prepared.bench)}, and its kind of corruption"
        written += corrupted_sheet(prepared.bench, spec.corrupted, told, folder / "corrupted")
    if spec.adversarial is not None:
        told = f"{title}\nthe dense network's answers, seed {spec.seed}{_few(prepared.bench)}"
        written += attacked_sheet(prepared.bench, spec, told, folder / "attacked")
    return written


def kept(prepared: Prepared) -> Tensor:
    """Which of the images that were chosen from are trained on, bool (N,)."""
    pool, chosen = prepared.pool, prepared.bench.chosen
    every = torch.arange(len(pool.train)) if pool.chosen is None else pool.chosen
    return torch.ones(len(every), dtype=torch.bool) if chosen is None else torch.isin(every, chosen)


def _tied(values: Sequence[float]) -> bool:
    """Whether the order of the data set decides which of equally hard images are shown."""
    return len(values) > EACH and (values[EACH - 1] == values[EACH] or values[-EACH - 1] == values[-EACH])


def _few(bench: Bench) -> str:
    """Says so where there are more classes than a sheet shows."""
    count = bench.data.num_classes
    return f"; the first {CLASSES} of {count} classes" if count > CLASSES else ""
