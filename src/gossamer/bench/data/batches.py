"""Which images a step sees: functions of (seed, epoch, step) alone, so that any step can be re-entered."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import SettingError

P1_SEED = 12345  # of the random subsets in the code of arXiv:2409.09196


def seeded(*words: int) -> torch.Generator:
    """A CPU generator that depends on the given numbers alone.

    Args:
        words: such as seed, epoch and step; (1,), (1, 0) and (0, 1) give unrelated streams.

    Returns:
        A fresh generator.

    Raises:
        SettingError: if a number is negative.

    Example:
        >>> torch.rand(1, generator=seeded(0, 3)).equal(torch.rand(1, generator=seeded(0, 3)))
        True
    """
    if min(words, default=0) < 0:
        raise SettingError(f"expected seeds of 0 or more, got {words}; pass non-negative whole numbers")
    # The length goes in because numpy pads with zeros: (1,) and (1, 0) would be the same seed.
    state = np.random.SeedSequence([len(words), *words]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def batches(
    count: int, batch_size: int, *, seed: int, epoch: int, drop_last: bool = False, start: int = 0
) -> Iterator[Tensor]:
    """The index batches of one epoch: a permutation by (seed, epoch) alone, cut into pieces.

    Args:
        count: number of images.
        batch_size: images a batch; the last one may be smaller.
        seed: of the run.
        epoch: from 0; each has its own permutation.
        drop_last: leave out a last batch that is smaller.
        start: how many batches to skip, to go on in the middle of an epoch.

    Returns:
        An iterator over int64 tensors of at most `batch_size` indices.

    Raises:
        SettingError: on sizes below 1, a negative start, or when dropping the last batch leaves none.

    Example:
        >>> [batch.tolist() for batch in batches(5, 2, seed=0, epoch=0)]
        [[4, 1], [0, 3], [2]]
        >>> [batch.tolist() for batch in batches(5, 2, seed=0, epoch=0, start=1)]
        [[0, 3], [2]]
    """
    if count < 1 or batch_size < 1 or start < 0:
        raise SettingError(
            f"expected count >= 1, batch_size >= 1 and start >= 0, got {count}, {batch_size} and {start}"
        )
    if drop_last and count < batch_size:
        raise SettingError(f"drop_last leaves no batch: {count} images, batch size {batch_size}; lower the batch size")
    order = torch.randperm(count, generator=seeded(seed, epoch))
    stop = count - count % batch_size if drop_last else count
    return (order[first : first + batch_size] for first in range(start * batch_size, stop, batch_size))


def subset(count: int, share: float, *, seed: int = P1_SEED) -> Tensor:
    """A random share of a training set: what arXiv:2409.09196 keeps in its corruption and attack experiments.

    Args:
        count: number of images.
        share: which share of them, in (0, 1]; rounded down to ``int(count * share)`` images.
        seed: of the drawing; the default is the one of that paper's code, which makes the subset the same in all runs.

    Returns:
        The indices, int64, ascending.

    Raises:
        SettingError: if the share is outside its range or leaves no image.

    Example:
        >>> subset(10, 0.3).tolist()
        [0, 3, 7]
    """
    if not 0 < share <= 1 or int(count * share) == 0:
        raise SettingError(f"expected a share in (0, 1] that leaves at least one of {count} images, got {share}")
    drawn = np.random.RandomState(seed).choice(count, int(count * share), replace=False)
    return torch.from_numpy(np.sort(drawn))


def hold_out(count: int, held: int, *, seed: int | None) -> tuple[Tensor, Tensor]:
    """Split a training set into one to train on and one to validate on.

    Args:
        count: number of images.
        held: how many to hold out.
        seed: of a random choice; None: the last ones, as in the code of arXiv:2409.09196 (45,000 + 5,000 of CIFAR).
            Image folders are ordered by class: their last images are of one class, so give them a seed.

    Returns:
        Indices to train on and indices held out, int64, ascending.

    Raises:
        SettingError: if either part would be empty.

    Example:
        >>> hold_out(5, 2, seed=None)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if not 0 < held < count:
        raise SettingError(f"expected to hold out 1 to {count - 1} of {count} images, got {held}")
    order = torch.arange(count) if seed is None else torch.randperm(count, generator=seeded(seed))
    return order[: count - held].sort().values, order[count - held :].sort().values
