"""A fingerprint of a batch: whether a data set is the same in every pass."""

from hashlib import blake2b

import torch
from torch import Tensor

BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes an entry


def digest(batch: tuple[Tensor, Tensor]) -> bytes:
    """A fingerprint of a batch that costs little beside a forward pass; moved samples and moved pixels change it.

    Args:
        batch: inputs (N, ...) and labels (N, ...).

    Returns:
        16 bytes.

    Example:
        >>> images, labels = torch.tensor([[1.0, 2.0]]), torch.tensor([0])
        >>> digest((images, labels)) == digest((images.flip(1), labels))
        False
    """
    return blake2b(b"".join(_sums(part).numpy().tobytes() for part in batch), digest_size=16).digest()


def _sums(samples: Tensor) -> Tensor:
    """One int64 a sample (N,), on the CPU: the sum of its bit patterns, weighed by their place, modulo 2⁶⁴."""
    # whole numbers add up to the same in any order and on any device; a plain sum would not see a flipped image
    rows = samples.reshape(len(samples), -1)
    exact = rows.view(BITS[rows.element_size()]) if rows.is_floating_point() else rows
    return (exact.to(torch.int64) * _weights(rows)).sum(1).cpu()


def _weights(rows: Tensor) -> Tensor:
    """Pseudo-random odd numbers by place: with even spacing two pixels that move apart would cancel."""
    places = torch.arange(1, rows.shape[1] + 1, device=rows.device) * 0x1E3779B97F4A7C15
    return (places ^ places >> 31) * 0x3F58476D1CE4E5B9 | 1  # one round of a multiply-and-shift hash, modulo 2⁶⁴
