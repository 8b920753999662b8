"""Data that an analysis reads several times, and that must be the same every time."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from gossamer.analyze.fingerprint import digest
from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.core.schedule import is_whole

Batch = tuple[Tensor, Tensor]
Data = Batch | Iterable[Any]
Loss = Callable[[Any, Tensor], Tensor]  # (outputs, labels) to their mean loss

ADVICE = "pass (inputs, labels), a list of such pairs, or a DataLoader with shuffle=False"


class Passes:
    """The batches of a data set, the same in every pass: an analysis adds up what it finds over them.

    A loader that shuffles, augments or ends early in a later pass is found out by its content.

    Args:
        data: a pair ``(inputs, labels)``, which is cut into batches, or an iterable of such pairs that can be read
            again, as a list or a ``DataLoader`` without shuffling.
        batch_size: samples at once, where a pair is given: it bounds the memory, not the result.

    Raises:
        DataError: data that can be read only once.
        SettingError: a batch size that is no whole number of 1 or more.

    Example:
        >>> data = Passes((torch.zeros(5, 2), torch.arange(5)), batch_size=2)
        >>> [len(labels) for _, labels in data], data.count
        ([2, 2, 1], 5)
    """

    def __init__(self, data: Data, batch_size: int = 1000) -> None:
        check_batch_size(batch_size)
        if isinstance(data, Iterator):
            raise DataError(f"expected data that can be read several times, got a {type(data).__name__}; {ADVICE}")
        if isinstance(data, (Tensor, dict)) or not (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
            raise DataError(f"expected a batch or an iterable of batches, got {type(data).__name__}; {ADVICE}")
        self._data, self._batch_size = data, batch_size
        self._digests: list[bytes] | None = None
        self._count = 0

    @property
    def count(self) -> int:
        """Number of samples; known from the first pass, which is made now if it was not yet."""
        self._passed()
        return self._count

    @property
    def fingerprint(self) -> str:
        """The same for the same samples in the same order and batches; known from the first pass, as the count."""
        return blake2b(b"".join(self._passed()), digest_size=16).hexdigest()

    def __iter__(self) -> Iterator[Batch]:
        """One pass.

        Yields:
            ``(inputs, labels)``.

        Raises:
            DataError: a batch is no such pair, there is none, or this pass differs from the first.
        """
        digests: list[bytes] = []
        count = 0
        for number, given in enumerate(_opened(self._batches())):
            batch = _checked(given)
            digests.append(digest(batch))
            if self._digests is not None and self._digests[number : number + 1] != digests[-1:]:
                raise DataError(_changed(number))
            count += len(batch[1])
            yield batch
        if not digests:
            raise DataError(f"expected at least one batch, got none; {ADVICE}")
        if self._digests is not None and len(digests) != len(self._digests):
            raise DataError(_changed(len(digests)))
        self._digests, self._count = digests, count

    def _passed(self) -> list[bytes]:
        while self._digests is None:
            for _ in self:
                pass
        return self._digests

    def _batches(self) -> Iterable[Any]:
        data: Any = self._data
        if isinstance(data, (tuple, list)) and len(data) == 2 and isinstance(data[0], Tensor):
            inputs, labels = _checked(data)
            return zip(torch.split(inputs, self._batch_size), torch.split(labels, self._batch_size), strict=True)
        return data  # type: ignore[no-any-return]  # anything that iter() takes


def check_batch_size(batch_size: int) -> None:
    """Refuse a number of samples at once that is none.

    Args:
        batch_size: anything.

    Raises:
        SettingError: it is no whole number of 1 or more.

    Example:
        >>> check_batch_size(1000)
    """
    if not is_whole(batch_size) or batch_size < 1:
        raise SettingError(f"expected a whole batch_size ≥ 1, got {batch_size!r}; it bounds the memory, not the result")


def check_finite(loss: float) -> float:
    """Refuse a loss that is not finite: nothing that is derived from it would mean anything.

    Args:
        loss: of some samples.

    Returns:
        The same number.

    Raises:
        StateError: it is not finite.

    Example:
        >>> check_finite(0.5)
        0.5
    """
    if not isfinite(loss):
        raise StateError(
            f"expected a finite loss, got {loss}; the network has diverged or its inputs hold such numbers: analyze an "
            "earlier checkpoint, or check the data"
        )
    return loss


def check_scalar(loss: Tensor) -> Tensor:
    """Refuse a loss that is not one number: a sum over samples hides in a vector.

    Args:
        loss: what a loss function gave.

    Returns:
        The same tensor.

    Raises:
        SettingError: it is no floating-point tensor of one entry.

    Example:
        >>> check_scalar(torch.tensor(0.5))
        tensor(0.5000)
    """
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        got = f"{loss.dtype} of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise SettingError(
            f"expected a loss that gives the mean over the batch as one number, got {got}; build it with "
            "reduction='mean'"
        )
    return loss


def _opened(batches: Iterable[Any]) -> Iterator[Any]:
    """A pass over the batches; a ``DataLoader`` draws a seed for each one, even where nothing is shuffled."""
    with torch.random.fork_rng(devices=[]):
        return iter(batches)


def _changed(number: int) -> str:
    return (
        f"expected the same samples in the same order in every pass, but batch {number} differs from the first pass: "
        "does the loader shuffle or augment? build it with shuffle=False and without random transforms"
    )


def _checked(batch: Any) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        parts = [type(part).__name__ for part in batch] if isinstance(batch, (tuple, list)) else []
        got = f"({', '.join(parts)})" if parts else type(batch).__name__
        raise DataError(f"expected batches (inputs, labels) of two tensors, got {got}; {ADVICE}")
    inputs, labels = batch
    if inputs.dim() == 0 or labels.dim() == 0 or len(inputs) != len(labels) or len(inputs) == 0:
        raise DataError(
            f"expected as many inputs as labels and at least one, got {tuple(inputs.shape)} and "
            f"{tuple(labels.shape)}; {ADVICE}"
        )
    return inputs, labels
