"""When and how much: pure numbers of the step, no tensors.

Every curve is a frozen dataclass called with a step; it holds its first value before ``begin`` and reaches its last
value exactly at ``end``, and keeps it.
"""

from dataclasses import dataclass
from math import cos, pi
from numbers import Integral

from gossamer.core.errors import SettingError


def is_whole(value: object) -> bool:
    """Whether a value is a whole number by type: 100 is, 100.0 and True are not.

    Example:
        >>> is_whole(100), is_whole(100.0)
        (True, False)

    Returns:
        True or False.
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(frozen=True)
class Constant:
    """The same value at every step.

    Example:
        >>> Constant(0.3)(1000)
        0.3
    """

    value: float

    def __call__(self, step: int) -> float:
        """The value."""
        return self.value


@dataclass(frozen=True)
class _Curve:
    first: float
    last: float
    begin: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.begin:
            raise SettingError(f"expected end ≥ begin, got begin={self.begin}, end={self.end}; swap them")

    def __call__(self, step: int) -> float:
        """The value at a step, exactly ``first`` up to ``begin`` and exactly ``last`` from ``end``."""
        if step >= self.end:
            return self.last
        if step <= self.begin:
            return self.first
        return self.last + (self.first - self.last) * self._left((step - self.begin) / (self.end - self.begin))

    def _left(self, done: float) -> float:
        """The share of the way that is left, 1 to 0, after the share ``done`` of the time."""
        raise AssertionError("a curve defines _left")


class Cosine(_Curve):
    """Half a cosine from ``first`` to ``last``: the drop fraction of SET, RigL and GraNet.

    f(t) = last + (first - last)/2 · (1 + cos(π (t - begin) / (end - begin))), Loshchilov & Hutter 2017.

    Example:
        >>> [round(Cosine(0.3, 0.0, 0, 100)(t), 3) for t in (0, 50, 100, 101)]
        [0.3, 0.15, 0.0, 0.0]
    """

    def _left(self, done: float) -> float:
        return (1 + cos(pi * done)) / 2


class Cubic(_Curve):
    """The sparsity of gradual pruning: s(t) = last + (first - last)(1 - done)³, Zhu & Gupta 2017, arXiv:1710.01878.

    Example:
        >>> [round(Cubic(0.0, 0.8, 10, 20)(t), 3) for t in (10, 15, 20)]
        [0.0, 0.7, 0.8]
    """

    def _left(self, done: float) -> float:
        return (1 - done) ** 3


@dataclass(frozen=True)
class Every:
    """Whether something is due: at every ``interval``-th step counted from ``begin``, and always at ``final``.

    Args:
        interval: steps between two events, at least 1.
        begin: the count starts here; ``begin`` itself is due, but step 0 never is (nothing has been learned yet).
        end: no event at or after this step, except ``final``.
        final: one last event, whatever the interval; None for none.

    Raises:
        SettingError: the interval is below 1.

    Example:
        >>> [t for t in range(12) if Every(3, end=9)(t)]
        [3, 6]
        >>> [t for t in range(12) if Every(4, begin=2, end=9, final=9)(t)]
        [2, 6, 9]
    """

    interval: int
    begin: int = 0
    end: int | None = None
    final: int | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.interval):
            raise SettingError(f"expected a whole number of steps between events, got {self.interval!r}; pass an int")
        if self.interval < 1:
            raise SettingError(f"expected an interval of at least 1 step, got {self.interval}; pass every=1 or more")

    def __call__(self, step: int) -> bool:
        """Whether the event is due at this step."""
        if step == self.final:
            return True
        inside = step > 0 and self.begin <= step and (self.end is None or step < self.end)
        return inside and (step - self.begin) % self.interval == 0
