"""The few samples that pruning at initialisation looks at: a batch, the first batches of a loader, so many a class."""

from collections.abc import Iterable
from itertools import islice
from math import ceil
from typing import Any

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError

Batch = tuple[Tensor, Any]
Data = Batch | Iterable[Any]

ADVICE = "pass (inputs, targets) or a loader that yields such pairs"


def is_batch(data: Any) -> bool:
    """Whether this is one batch rather than an iterable of them: a pair that begins with a tensor.

    Returns:
        True for a pair ``(inputs, targets)``, also as the list that torch's loaders yield.

    Example:
        >>> pair = (torch.zeros(4, 2), torch.zeros(4))
        >>> is_batch(pair), is_batch([pair, pair])
        (True, False)
    """
    return isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[0], Tensor)


def first_batches(data: Data, count: int, device: torch.device) -> list[Batch]:
    """The first ``count`` batches, on a device.

    Args:
        data: a pair ``(inputs, targets)``, which counts as one batch, or an iterable of such pairs.
        count: how many, at least 1.
        device: where they go.

    Returns:
        The batches.

    Raises:
        SettingError: the count is below 1.
        DataError: there are fewer batches, or one is no pair of as many inputs as targets.

    Example:
        >>> loader = [(torch.zeros(4, 2), torch.zeros(4)), (torch.ones(3, 2), torch.ones(3))]
        >>> [len(inputs) for inputs, _ in first_batches(loader, 2, torch.device("cpu"))]
        [4, 3]
    """
    if count < 1:
        raise SettingError(f"expected batches ≥ 1, got {count}; SNIP looks at 1")
    batches = [_checked(batch, device) for batch in islice(_loader(data), count)]
    if len(batches) < count:
        raise DataError(f"expected {count} batches, got {len(batches)}; lower batches or pass a longer loader")
    return batches


def per_class(data: Iterable[Any], samples: int, classes: int, device: torch.device) -> Batch:
    """The first samples of each class, class by class in turn, so that every stretch of them is balanced.

    Args:
        data: an iterable of pairs ``(inputs, labels)``, read until all classes are complete or it ends.
        samples: how many of each class; a class with fewer gives all it has.
        classes: labels run from 0 to ``classes - 1``.
        device: where they go.

    Returns:
        One batch.

    Raises:
        SettingError: ``samples`` is below 1.
        DataError: labels are no whole numbers in that range, or there are none.

    Example:
        >>> labels = torch.tensor([0, 0, 0, 1, 2, 1])
        >>> inputs, labels = per_class([(torch.arange(6.0), labels)], 2, 3, torch.device("cpu"))
        >>> inputs.tolist(), labels.tolist()
        ([0.0, 3.0, 4.0, 1.0, 5.0], [0, 1, 2, 0, 1])
    """
    if samples < 1:
        raise SettingError(f"expected samples_per_class ≥ 1 or None for the first batch, got {samples}; GraSP has 10")
    found: list[tuple[int, int, Tensor]] = []  # (how many of its class came before, label, sample)
    seen = [0] * classes
    for batch in _loader(data):
        inputs, labels = _checked(batch, torch.device("cpu"))
        _check_labels(labels, classes)
        for index, label in enumerate(labels.tolist()):
            if seen[label] < samples:
                found.append((seen[label], label, inputs[index]))
                seen[label] += 1
        if min(seen) == samples:
            break
    if not found:
        raise DataError(f"expected samples of {classes} classes, got an empty loader; {ADVICE}")
    found.sort(key=lambda entry: entry[:2])
    return torch.stack([sample for _, _, sample in found]).to(device), torch.tensor(
        [label for _, label, _ in found], device=device
    )


def chunks(batch: Batch, most: int) -> list[Batch]:
    """A batch in parts of nearly equal size, none larger than ``most``.

    Args:
        batch: inputs and labels.
        most: samples in a part, at least 1.

    Returns:
        The parts.

    Raises:
        SettingError: ``most`` is below 1.

    Example:
        >>> [len(inputs) for inputs, _ in chunks((torch.zeros(9, 2), torch.zeros(9)), 4)]
        [3, 3, 3]
    """
    if most < 1:
        raise SettingError(f"expected chunk ≥ 1 sample, got {most}; 256 fits most machines")
    inputs, labels = batch
    parts = ceil(len(inputs) / most)
    return list(zip(inputs.tensor_split(parts), labels.tensor_split(parts), strict=True))


def _loader(data: Any) -> Iterable[Any]:
    if is_batch(data):
        return [data]
    if isinstance(data, (Tensor, dict)) or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        raise DataError(f"expected a batch or an iterable of batches, got {type(data).__name__}; {ADVICE}")
    return data  # type: ignore[no-any-return]  # anything that iter() takes


def _checked(batch: Any, device: torch.device) -> Batch:
    if not is_batch(batch):
        raise DataError(f"expected a batch (inputs, targets) with a tensor of inputs, got {_describe(batch)}; {ADVICE}")
    inputs, targets = batch
    if not isinstance(targets, Tensor) or inputs.dim() == 0 or targets.dim() == 0:
        raise DataError(
            f"expected a batch of samples and targets, got {_describe(batch)}: a single sample of a data set? "
            "wrap it in a DataLoader"
        )
    if len(inputs) != len(targets) or len(inputs) == 0:
        raise DataError(f"expected as many inputs as targets and at least one, got {len(inputs)} and {len(targets)}")
    return inputs.to(device), targets.to(device)


def _check_labels(labels: Tensor, classes: int) -> None:
    if labels.dim() != 1 or labels.is_floating_point() or bool(((labels < 0) | (labels >= classes)).any()):
        raise DataError(
            f"expected labels (N,) of whole numbers in 0..{classes - 1}, the model's outputs, got {labels.dtype} "
            f"{tuple(labels.shape)} from {labels.min().item()} to {labels.max().item()}; without classes pass "
            "samples_per_class=None"
        )


def _describe(batch: Any) -> str:
    if isinstance(batch, (tuple, list)):
        return f"{type(batch).__name__} of ({', '.join(type(entry).__name__ for entry in batch)})"
    return type(batch).__name__
