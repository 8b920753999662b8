"""Layer densities by RigL's loop (Evci et al. 2020): find ε, make the layer that asks for most dense, start again."""

from math import prod


def uniform_preference(shape):
    return 1.0


def er_preference(shape):
    return (shape[0] + shape[1]) / (shape[0] * shape[1])


def erk_preference(shape):
    return sum(shape) / prod(shape)


def densities(shapes, sparsity, preference, dense=()):
    """Real numbers, before any rounding to whole weights."""
    full = set(dense)
    while True:
        others = [name for name in shapes if name not in full]
        if not others:
            return dict.fromkeys(shapes, 1.0)
        # what the other layers may keep: their own share, less the zeros that full layers do not carry
        may_keep = sum((1 - sparsity) * prod(shapes[name]) for name in others)
        may_keep -= sum(sparsity * prod(shapes[name]) for name in full)
        epsilon = may_keep / sum(preference(shapes[name]) * prod(shapes[name]) for name in others)
        greedy = max(others, key=lambda name: preference(shapes[name]))
        if epsilon * preference(shapes[greedy]) <= 1:
            return {n: 1.0 if n in full else epsilon * preference(shapes[n]) for n in shapes}
        full.add(greedy)
