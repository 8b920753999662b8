"""Gradual magnitude pruning (Zhu & Gupta 2017), one weight at a time."""


def sparsity(step, final, begin, end, every):
    """s(t) = s (1 - (1 - (t - t₀)/(t₁ - t₀))³), looked up at the last pruning up to a step."""
    reached = 0.0
    for t in range(step + 1):
        if t >= end:
            reached = final
        elif t >= begin and (t - begin) % every == 0:
            reached = final * (1 - (1 - (t - begin) / (end - begin)) ** 3)
    return reached


def prune_globally(weights, alive, count):
    """Of all layers together the smallest weight dies, until ``count`` are left."""
    alive = {name: list(mask) for name, mask in alive.items()}
    while sum(map(sum, alive.values())) > count:
        living = [(name, i) for name, mask in alive.items() for i in range(len(mask)) if mask[i]]
        name, index = min(living, key=lambda place: abs(weights[place[0]][place[1]]))
        alive[name][index] = False
    return alive
