"""Random numbers that belong to an image, not to its batch."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Streams:
    """One independent random stream for each image: the same numbers whatever the batch, its size or its order.

    A counter-based generator (Philox4x64, Salmon et al. 2011) is keyed by (seed, name, severity); the image's index
    and the number of the call are words of its counter, so that no state is carried from image to image. Numbers are
    drawn on the CPU and moved, so every device sees the same ones.

    Args:
        seed: 0 or more.
        name: of the corruption.
        severity: of the corruption.
        indices: of the images, (B,).
        device: where the numbers are wanted.
        dtype: of uniform and normal numbers; they are drawn in float32.

    Example:
        >>> one, two = Streams(0, "fog", 1, [7, 8]), Streams(0, "fog", 1, [8])
        >>> torch.equal(one.normal(3)[1:], two.normal(3))
        True
    """

    def __init__(
        self,
        seed: int,
        name: str,
        severity: int,
        indices: Sequence[int],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        key = np.frombuffer(sha256(f"{seed}/{name}/{severity}".encode()).digest()[:16], np.uint64)
        self._bits = np.random.Philox(key=key)
        self._state = self._bits.state
        self._draw = np.random.Generator(self._bits)
        self._calls = 0
        self.indices, self.device, self.dtype = indices, device, dtype

    def __len__(self) -> int:
        return len(self.indices)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, (B, *shape)."""
        drawn = np.empty((len(self), *shape), np.float32)
        for row in self._rows():
            self._draw.standard_normal(dtype=np.float32, out=drawn[row])
        return self._move(drawn)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), (B, *shape)."""
        drawn = np.empty((len(self), *shape), np.float32)
        for row in self._rows():
            self._draw.random(dtype=np.float32, out=drawn[row])
        return self._move(drawn)

    def bits(self, *shape: int) -> Tensor:
        """Whole numbers 0 ≤ n < 2³¹, all equally likely, int32 (B, *shape): the cheapest draw."""
        count = prod(shape)
        drawn = np.empty((len(self), (count + 1) // 2), "<u8")
        for row in self._rows():
            drawn[row] = self._bits.random_raw(drawn.shape[1])
        halves = (drawn.view("<u4")[:, :count] & np.uint32(2**31 - 1)).astype(np.int32, copy=False)
        return torch.from_numpy(halves).view(-1, *shape).to(self.device)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers low ≤ n < high, all equally likely, int64 (B, *shape)."""
        drawn = np.empty((len(self), *shape), np.int64)
        for row in self._rows():
            drawn[row] = self._draw.integers(low, high, shape)
        return torch.from_numpy(drawn).to(self.device)

    def _move(self, drawn: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(drawn).to(self.device, self.dtype)

    def _rows(self) -> Iterator[int]:
        """Row numbers; before each the generator stands at the start of that image's own stretch."""
        call, self._calls = self._calls, self._calls + 1
        for row, index in enumerate(self.indices):
            self._state["state"]["counter"][:] = (0, call, index, 0)
            self._state["buffer_pos"], self._state["has_uint32"] = 4, 0
            self._bits.state = self._state
            yield row
