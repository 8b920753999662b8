"""SynFlow of fully connected layers by walking every path from input to output."""

from itertools import product


def path_scores(layers):
    """For each weight the sum over all paths through it of the product of the path's magnitudes.

    ``layers[l][i][j]`` connects input j to output i.
    """
    widths = [len(layers[0][0]), *(len(layer) for layer in layers)]
    scores = [[[0.0 for _ in row] for row in layer] for layer in layers]
    for path in product(*(range(width) for width in widths)):
        weight = 1.0
        for depth, layer in enumerate(layers):
            weight *= abs(layer[path[depth + 1]][path[depth]])
        for depth in range(len(layers)):
            scores[depth][path[depth + 1]][path[depth]] += weight
    return scores


def synflow(layers, sparsity, rounds):
    """The positions (layer, output, input) that live after all rounds; a copy of the layers loses its weights."""
    layers = [[list(row) for row in layer] for layer in layers]
    alive = {(d, i, j) for d, layer in enumerate(layers) for i, row in enumerate(layer) for j in range(len(row))}
    total = len(alive)
    for number in range(1, rounds + 1):
        scores = path_scores(layers)
        for d, i, j in sorted(alive, key=lambda at: scores[at[0]][at[1]][at[2]]):
            if len(alive) == round((1 - sparsity) ** (number / rounds) * total):
                break
            alive.remove((d, i, j))
            layers[d][i][j] = 0.0
    return alive
