"""Accuracy on corrupted images: kind by kind, severity by severity."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from gossamer.core.errors import SettingError
from gossamer.core.modes import evaluating
from gossamer.corrupt.apply import levels
from gossamer.corrupt.families import family_of
from gossamer.corrupt.layouts import CorruptedSet
from gossamer.corrupt.predict import Predict, classes_of, shown
from gossamer.corrupt.recipe import SEVERITIES, Images, Recipe, check_fit, check_labels, check_severities
from gossamer.corrupt.result import CLEAN, Cell, Robustness
from gossamer.corrupt.table import STANDARD

After = Callable[[str, int, float], None]
Batches = Iterable[tuple[Tensor, Tensor]]


def robustness(
    model: nn.Module | Predict,
    images: Images,
    labels: Tensor,
    *,
    kinds: Sequence[str] | str = STANDARD,
    severities: Sequence[int] | int = SEVERITIES,
    seed: int = 0,
    family: str | None = None,
    frost: str | Path | None = None,
    baseline: Robustness | Mapping[Cell, float] | None = None,
    batch_size: int = 500,
    clean: bool = True,
    known: Mapping[Cell, float] | None = None,
    after: After | None = None,
) -> Robustness:
    """Accuracy of a model on images that are corrupted in memory (Hendrycks & Dietterich 2019, arXiv:1903.12261).

    The pictures, and so the result, depend neither on the batch size nor on what else is measured. In-memory
    corruption is not the benchmark of the official folders, whose images were compressed once more.

    Args:
        model: a module, used in evaluation mode and left as it was, or any function; takes images (B, C, H, W) in
            [0, 1], of its weights' type, normalises by itself, and returns logits (B, K) or classes (B,).
        images: (N, C, H, W), levels or floats in [0, 1], or anything whose slices are such.
        labels: (N,).
        kinds: names of ``CORRUPTIONS``, or a single one; default: the 15 standard ones.
        severities: rising, of 1 to 5 as published, or 6, extrapolated; or a single one.
        seed: of the random kinds, 0 or more.
        family: whose constants, as in ``corrupt``.
        frost: pictures of ice, as in ``corrupt``; the result says which.
        baseline: the result of another model on the same images, or its accuracies by kind and severity.
        batch_size: images at once; changes nothing but speed and memory.
        clean: measure the clean images too.
        known: accuracies of an interrupted call, by kind and severity, ``("clean", 0)`` for the clean ones; they are
            not measured again.
        after: called with kind, severity and accuracy after each measurement.

    Returns:
        Accuracies in [0, 1] and their means.

    Raises:
        UnknownNameError: no such corruption or family.
        SettingError: severities, seed or batch size outside their ranges.
        DataError: images or labels that do not fit each other, the kinds or the model.
        MissingError: a folder without the photographs of frost.

    Example:
        >>> squares = torch.full((4, 3, 32, 32), 0.5)
        >>> squares[2:] = 0.6
        >>> bright = lambda images: (images.mean((1, 2, 3)) > 0.55).long()
        >>> found = robustness(bright, squares, torch.tensor([0, 0, 1, 1]), kinds=["gaussian_noise"])
        >>> found.clean, found.mean
        (1.0, 1.0)
    """
    own = check_labels(images, labels)
    names, chosen = check_fit(images, kinds), check_severities(severities)
    recipe = Recipe(seed, family_of(int(images[0:1].shape[-1]), family), frost)
    ice = recipe.ice(names)
    check_batch_size(batch_size)

    def batches(kind: str, severity: int) -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, len(images), batch_size):
            where = range(first, min(first + batch_size, len(images)))
            part = images[where.start : where.stop]
            changed = recipe.picture(part, kind, severity, where) if severity else levels(part)
            yield changed, own[where.start : where.stop]

    cells = [CLEAN] * clean + [(kind, severity) for kind in names for severity in chosen]
    accuracy = _measured(model, cells, batches, known or {}, after)
    return Robustness(
        accuracy, len(images), "corrupted in memory", recipe.family, recipe.seed, ice, accuracies_of(baseline)
    )


def robustness_of_set(
    model: nn.Module | Predict,
    corrupted: CorruptedSet,
    *,
    kinds: Sequence[str] | str | None = None,
    severities: Sequence[int] | int | None = None,
    clean: tuple[Tensor, Tensor] | None = None,
    baseline: Robustness | Mapping[Cell, float] | None = None,
    batch_size: int = 500,
    known: Mapping[Cell, float] | None = None,
    after: After | None = None,
) -> Robustness:
    """Accuracy of a model on a corrupted set on disk, read in chunks: as ``robustness``, from files.

    Args:
        model: as in ``robustness``.
        corrupted: what ``read_corrupted`` found.
        kinds: names, or a single one; default: all of the set.
        severities: whole numbers, or a single one; default: all of the set.
        clean: clean images and labels to measure as well; the sets hold none.
        baseline: as in ``robustness``.
        batch_size: images at once.
        known: as in ``robustness``.
        after: as in ``robustness``.

    Returns:
        Accuracies in [0, 1] and their means.

    Raises:
        UnknownNameError: a kind that the set does not have.
        SettingError: the batch size is no number above 0, or the severities are not rising.
        DataError: a severity that the set does not have, or images or labels that do not fit each other or the model.
    """
    check_batch_size(batch_size)
    pair = None if clean is None else (levels(clean[0]), check_labels(clean[0], clean[1]))

    def batches(kind: str, severity: int) -> Iterator[tuple[Tensor, Tensor]]:
        if severity:
            yield from corrupted.batches(kind, severity, batch_size)
        elif pair is not None:
            yield from zip(torch.split(pair[0], batch_size), torch.split(pair[1], batch_size), strict=True)

    names = (kinds,) if isinstance(kinds, str) else kinds or corrupted.kinds
    chosen = check_severities(corrupted.severities if severities is None else severities)
    asked = [(kind, severity) for kind in names for severity in chosen]
    for cell in asked:
        corrupted.check(*cell)
    accuracy = _measured(model, [CLEAN] * (pair is not None) + asked, batches, known or {}, after)
    made = corrupted.provenance or {}
    family, seed, ice = (made.get(key) for key in ("family", "seed", "frost"))
    return Robustness(accuracy, corrupted.count, corrupted.source, family, seed, ice, accuracies_of(baseline))


def _measured(
    model: nn.Module | Predict,
    cells: Sequence[Cell],
    batches: Callable[[str, int], Batches],
    known: Mapping[Cell, float],
    after: After | None,
) -> dict[Cell, float]:
    accuracy: dict[Cell, float] = {}
    for cell in cells:
        if cell in known:
            accuracy[cell] = float(known[cell])
            continue
        # anew for each, so that ``after`` sees the model as it was
        with evaluating(model) if isinstance(model, nn.Module) else nullcontext(), torch.inference_mode():
            accuracy[cell] = _accuracy(model, batches(*cell))
        if after is not None:
            after(*cell, accuracy[cell])
    return accuracy


def _accuracy(model: nn.Module | Predict, batches: Batches) -> float:
    right = count = 0
    for images, labels in batches:
        right += int((classes_of(model(shown(images, model)), labels) == labels).sum())
        count += len(labels)
    return right / count


def accuracies_of(baseline: Robustness | Mapping[Cell, float] | None) -> dict[Cell, float] | None:
    """The accuracies of a baseline by kind and severity, None if there is none."""
    if baseline is None:
        return None
    return dict(baseline.accuracy if isinstance(baseline, Robustness) else baseline)


def check_batch_size(batch_size: int) -> None:
    """Refuse a batch size that is no whole number above 0.

    Args:
        batch_size: images at once.

    Raises:
        SettingError: it is something else.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise SettingError(f"expected a batch size of 1 or more, got {batch_size!r}")
