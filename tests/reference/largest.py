"""Selection by taking the best one left, again and again."""


def largest(scores, candidates, count):
    """Indices that are surely chosen, and those of which an equal score makes any good enough."""
    left = [index for index, candidate in enumerate(candidates) if candidate]
    chosen = []
    for _ in range(count):
        best = max(left, key=lambda index: scores[index])
        left.remove(best)
        chosen.append(best)
    if not chosen:
        return set(), set()
    worst = scores[chosen[-1]]
    sure = {index for index in chosen if scores[index] > worst}
    equal = {index for index, candidate in enumerate(candidates) if candidate and scores[index] == worst}
    return sure, equal


def keep_largest(scores, candidates, count, floor=0):
    """The chosen (layer, index) pairs of the whole network; scores must differ from one another."""
    everyone = [(name, index) for name in scores for index in range(len(scores[name])) if candidates[name][index]]
    everyone.sort(key=lambda pair: scores[pair[0]][pair[1]], reverse=True)
    first = []
    for name in scores:
        first += [pair for pair in everyone if pair[0] == name][:floor]
    return set(first + [pair for pair in everyone if pair not in first][: count - len(first)])
