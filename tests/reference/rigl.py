"""RigL (Evci et al. 2020), one layer, one weight at a time."""

from math import cos, pi


def drop_fraction(alpha, step, end):
    return alpha / 2 * (1 + cos(pi * step / end))


def rewire(weights, alive, grads, count, inverted=False):
    """The ``count`` smallest live weights die; then the ``count`` dead ones with the largest gradient are born."""
    alive = list(alive)
    if all(alive):
        return alive
    for _ in range(count):
        victim = min((i for i in range(len(alive)) if alive[i]), key=lambda i: abs(weights[i]))
        alive[victim] = False
    for _ in range(count):
        dead = [i for i in range(len(alive)) if not alive[i]]
        newborn = (min if inverted else max)(dead, key=lambda i: abs(grads[i]))
        alive[newborn] = True
    return alive
