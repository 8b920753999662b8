"""An N:M pattern, one group of consecutive inputs after another."""

from itertools import product


def groups(shape, m):
    """The index tuples of every group: m consecutive entries along dimension 1, the last group may be shorter."""
    outputs, inputs, *kernel = shape
    for output, *place in product(range(outputs), *map(range, kernel)):
        for start in range(0, inputs, m):
            yield [(output, column, *place) for column in range(start, min(start + m, inputs))]


def capacity(shape, n, m):
    return sum(min(n, len(group)) for group in groups(shape, m))


def fits(mask, n, m):
    return all(sum(bool(mask[index]) for index in group) <= n for group in groups(mask.shape, m))


def grow(score, mask, count, n, m):
    """The best dead weight whose group has room is born, one at a time; scores must differ from one another."""
    alive = mask.clone()
    for _ in range(count):
        possible = []
        for group in groups(mask.shape, m):
            if sum(bool(alive[index]) for index in group) < n:
                possible += [index for index in group if not alive[index]]
        alive[max(possible, key=lambda index: float(score[index]))] = True
    return alive
