"""The power spectrum of a kernel, one sum a frequency."""

from cmath import exp, pi


def power(kernel: list[list[float]], size: int) -> list[list[float]]:
    """|Σ w exp(-2πi (uy + vx) / size)|² of the centred plane."""
    sides = range(-(size // 2), (size + 1) // 2)
    return [[abs(_component(kernel, u / size, v / size)) ** 2 for v in sides] for u in sides]


def _component(kernel: list[list[float]], down: float, across: float) -> complex:
    return sum(
        weight * exp(-2j * pi * (down * y + across * x)) for y, row in enumerate(kernel) for x, weight in enumerate(row)
    )
