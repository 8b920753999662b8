"""Sheets of images for a comparison: what was hard, what corruption did, what an attack did."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gossamer.attack import named
from gossamer.bench.data import seeded
from gossamer.bench.place import Bench
from gossamer.bench.prepare import Prepared
from gossamer.bench.samples import as_input
from gossamer.bench.score import Scored, trained
from gossamer.bench.spec import RunSpec
from gossamer.figure.sheet import Row, sheet

EACH = 5  # images of a kind beside one another
CLASSES = 10  # at most, so that a sheet stays a page
CONTRAST = 10  # by which a change of a few levels is made visible


def hard_sheet(bench: Bench, scored: Scored, title: str, stem: Path) -> list[Path]:
    """The easiest and the hardest images of each class (P1's figure 1), with their scores.

    Args:
        bench: whose training images were scored.
        scored: their scores.
        title: of the sheet.
        stem: path without ending.

    Returns:
        The files.
    """
    samples, rows = bench.train.to("cpu"), []
    for label, name in list(enumerate(bench.data.classes))[:CLASSES]:
        own = (samples.labels == label).nonzero().flatten()
        order = own[torch.argsort(scored.mean[own], stable=True)]
        shown = [*order[:EACH].tolist(), *order[-EACH:].tolist()]
        words = [f"{float(scored.mean[index]):.3g}" for index in shown]
        rows.append(Row(name, [picture(samples.images[index]) for index in shown], words))
    return sheet(rows, f"{title}{_few(bench)}", stem, columns=("easiest", "hardest"))


def corrupted_sheet(bench: Bench, title: str, stem: Path) -> list[Path]:
    """Test images as they were, and as they are tested on.

    Args:
        bench: with its clean set.
        title: of the sheet.
        stem: path without ending.

    Returns:
        The files.
    """
    assert bench.clean is not None
    shown = first_of_each(bench.data.test_labels, 2 * EACH)
    pairs = {"clean": bench.clean.test_images, "corrupted": bench.data.test_images}
    names = [bench.data.classes[int(bench.data.test_labels[index])] for index in shown]
    rows = [Row(word, [picture(images[index]) for index in shown], names) for word, images in pairs.items()]
    return sheet(rows, title, stem)


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
    attack: Any = named(spec.adversarial.evaluate)
    changed = attack(model, inputs, labels, generator=seeded(0, 0, 5))
    with torch.inference_mode():
        answers = [[bench.data.classes[int(n)] for n in model(batch).argmax(1)] for batch in (inputs, changed)]
    change = (128 + CONTRAST * 255 * (changed - inputs)).clamp(0, 255)
    rows = [
        Row("clean", [picture(255 * image) for image in inputs], answers[0]),
        Row("attacked", [picture(255 * image) for image in changed], answers[1]),
        Row(f"change ×{CONTRAST}", [picture(image) for image in change], [""] * len(shown)),
    ]
    return sheet(rows, title, stem)


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
        written += hard_sheet(prepared.pool, scored, f"{title}\n{scored.name}, under each image", folder / "hard")
    if prepared.bench.clean is not None:
        told = f"{title}\nthe first test image of each class{_few(prepared.bench)}"
        written += corrupted_sheet(prepared.bench, told, folder / "corrupted")
    if spec.adversarial is not None:
        told = f"{title}\nthe dense network's answers, seed {spec.seed}{_few(prepared.bench)}"
        written += attacked_sheet(prepared.bench, spec, told, folder / "attacked")
    return written


def _few(bench: Bench) -> str:
    """Says so where there are more classes than a sheet shows."""
    count = bench.data.num_classes
    return f"; the first {CLASSES} of {count} classes" if count > CLASSES else ""


def first_of_each(labels: Tensor, most: int) -> list[int]:
    """The first image of each class, at most so many."""
    found = {int(label): index for index, label in reversed(list(enumerate(labels.tolist())))}
    return [found[label] for label in sorted(found)][:most]


def picture(image: Tensor) -> Any:
    """An image (C, H, W) as a figure takes it: (H, W) or (H, W, 3), whole levels."""
    levels = image.detach().cpu().round().clamp(0, 255).to(torch.uint8)
    return (levels[0] if len(levels) == 1 else levels.permute(1, 2, 0)).numpy()
