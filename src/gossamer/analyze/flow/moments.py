"""Means and deviations of every channel, batch by batch."""

from math import sqrt

import torch
from torch import Tensor


class Moments:
    """Mean and sum of squared deviations of each channel, merged batch by batch (Chan et al. 1979) in float64.

    A sum of squares would lose all digits where outputs hardly differ from their mean, as in a network whose signal
    has died.

    Example:
        >>> moments = Moments()
        >>> moments.add(torch.tensor([[1.0, 10.0]]))
        >>> moments.add(torch.tensor([[3.0, 10.0]]))
        >>> moments.per_channel().tolist(), moments.overall()
        ([1.0, 0.0], 4.06...)
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros(0)

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, values: Tensor) -> None:
        """More samples of the same channels.

        Args:
            values: (n, C), n at least 1.
        """
        count, given = len(values), values.detach().double()
        mean = given.mean(0)
        squares = (given - mean).square().sum(0)
        if self._count:
            gap, total = mean - self._mean, self._count + count
            squares += self._squares + gap.square() * self._count * count / total
            mean = self._mean + gap * count / total
        self._count, self._mean, self._squares = self._count + count, mean, squares

    def per_channel(self) -> Tensor:
        """The standard deviation of each channel over the samples.

        Returns:
            float64 (C,), of the samples themselves (divided by n, not n - 1).
        """
        return (self._squares / self._count).sqrt()

    def overall(self) -> float:
        """The standard deviation of all entries together, channels of different means included.

        Returns:
            A number of 0 or more.
        """
        within = float((self._squares / self._count).mean())
        return sqrt(within + float(self._mean.var(correction=0)))
