"""One pass over a data set in evaluation mode that leaves no trace."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from gossamer.core.errors import DataError, SettingError
from gossamer.core.modes import left_as_found
from gossamer.hardness.check import check_whole

Batches = Iterable[Sequence[Tensor]]  # (indices, images, labels)
Forward = Callable[[Tensor], tuple[Tensor, ...]]


def device_of(model: nn.Module, otherwise: torch.device) -> torch.device:
    """Where a model's first parameter or buffer is; `otherwise` without any."""
    tensor = next(model.parameters(), next(model.buffers(), None))
    return otherwise if tensor is None else tensor.device


def one_pass(model: nn.Module, forward: Forward, batches: Batches, count: int) -> tuple[list[Tensor], Tensor]:
    """What ``forward`` gives for every sample, and the labels, by the samples' indices.

    Args:
        model: put into evaluation mode meanwhile.
        forward: from images on the model's device to tensors (B, ...).
        batches: yields (indices, images, labels), each index 0..count - 1 once.
        count: number of samples, N.

    Returns:
        The tensors, float32 (N, ...), and the labels, int64 (N,), on the CPU.

    Raises:
        SettingError: `count` is below 1.
        DataError: a batch is no such triple, or an index is missing, comes twice or is out of range.

    Example:
        >>> batches = [(torch.tensor([1, 0]), torch.eye(2), torch.tensor([5, 6]))]
        >>> one_pass(nn.Identity(), lambda images: (images,), batches, 2)
        ([tensor([[0., 1.],
                [1., 0.]])], tensor([6, 5]))
    """
    if count < 1:
        raise SettingError(f"expected count ≥ 1, the number of samples, got {count}")
    indices: list[Tensor] = []
    labels: list[Tensor] = []
    outputs: list[tuple[Tensor, ...]] = []
    total = 0
    with left_as_found(model), torch.no_grad():
        for batch in batches:
            index, images, label = _triple(batch)
            device = device_of(model, images.device)
            # towards the CPU a copy that nobody waits for would be read before it has arrived
            outputs.append(forward(images.to(device, non_blocking=device.type != "cpu")))
            indices.append(index)
            labels.append(label)
            total += len(index)
            if total > count:  # one index must have come twice: an endless loader is stopped too
                break
    check_indices(indices, count)
    order = torch.cat([index.cpu() for index in indices]).long()
    results = [_placed([parts[i].float() for parts in outputs], order) for i in range(len(outputs[0]))]
    return results, _placed(labels, order).long()


def check_indices(indices: Sequence[Tensor], count: int) -> None:
    """Check that every index in 0..count - 1 has come exactly once.

    Args:
        indices: those of each batch, (B,).
        count: number of samples.

    Raises:
        DataError: if one is out of range, came twice or did not come.

    Example:
        >>> check_indices([torch.tensor([2, 0]), torch.tensor([1])], count=3)
    """
    came = torch.cat([torch.empty(0, dtype=torch.int64), *(index.cpu().long() for index in indices)])
    outside = came[(came < 0) | (came >= count)]
    if len(outside):
        raise DataError(
            f"index {int(outside[0])} is outside 0..{count - 1}; pass the whole data set's length as count, "
            "and indices of that data set"
        )
    times = came.bincount(minlength=count)
    if int(times.max()) > 1:
        first = int((times > 1).nonzero()[0])
        raise DataError(
            f"index {first} came {int(times[first])} times in one pass; use each sample once: no sampling with "
            "replacement, no padding of distributed samplers"
        )
    if int(times.min()) == 0:
        missing = (times == 0).nonzero().flatten()
        raise DataError(
            f"{len(missing)} of {count} samples did not come in this pass, the first is index {int(missing[0])}; "
            "use drop_last=False and the whole data set"
        )


def _triple(batch: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 3 or not all(isinstance(part, Tensor) for part in batch):
        got = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise DataError(
            f"expected batches of three tensors (indices, images, labels), got {got}; "
            "let the data set give each sample's index first"
        )
    indices, images, labels = batch
    if indices.ndim != 1 or labels.shape != indices.shape or len(images) != len(indices):
        raise DataError(
            f"expected indices (B,), images (B, ...) and labels (B,), got {tuple(indices.shape)}, "
            f"{tuple(images.shape)} and {tuple(labels.shape)}; labels are classes, not one-hot"
        )
    check_whole(indices, "indices")
    check_whole(labels, "labels")
    return indices, images, labels


def _placed(parts: list[Tensor], order: Tensor) -> Tensor:
    """The parts' rows in the order of their indices; parts are let go as they are copied, so that memory holds one."""
    placed = torch.empty(len(order), *parts[0].shape[1:], dtype=parts[0].dtype)
    end = len(order)
    while parts:
        part = parts.pop()
        placed[order[end - len(part) : end]] = part.cpu()
        end -= len(part)
    return placed
