"""How far live weights are from a reference, by moving them one by one."""


def moved(live, expected):
    """The share of weights that change layer, by layer names to whole numbers of equal sums."""
    live, total, moves = dict(live), sum(live.values()), 0
    while live != expected:
        rich = next(name for name in live if live[name] > expected[name])
        poor = next(name for name in live if live[name] < expected[name])
        live[rich] -= 1
        live[poor] += 1
        moves += 1
    return moves / total
