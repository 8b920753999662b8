"""MEST (Yuan et al. 2021), one layer: prune to the asked number, then grow to the bound."""


def prune(weights, grads, alive, asked, gradient_weight):
    alive = list(alive)
    while sum(alive) > asked:
        living = [i for i in range(len(alive)) if alive[i]]
        alive[min(living, key=lambda i: abs(weights[i]) + gradient_weight * abs(grads[i]))] = False
    return alive


def grow_by_gradient(grads, alive, bound):
    alive = list(alive)
    while sum(alive) < bound:
        dead = [i for i in range(len(alive)) if not alive[i]]
        alive[max(dead, key=lambda i: abs(grads[i]))] = True
    return alive
