"""Spearman's rank correlation by counting who is smaller."""

import math


def ranks(values):
    """One more than the number of smaller values, plus half the number of other equal ones."""
    return [
        1 + sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]


def spearman(first, second):
    first, second = ranks(first), ranks(second)
    middle = (len(first) + 1) / 2
    product = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    squares = [sum((rank - middle) ** 2 for rank in side) for side in (first, second)]
    return product / math.sqrt(squares[0] * squares[1])
