"""SET's removal, weight by weight."""


def drop_signed(weights, alive, fraction):
    """The smallest positive and the largest negative weights die, the same share of both."""
    alive = list(alive)
    positive = sorted((w, i) for i, w in enumerate(weights) if alive[i] and w >= 0)
    negative = sorted(((w, i) for i, w in enumerate(weights) if alive[i] and w < 0), reverse=True)
    for side in (positive, negative):
        for _, index in side[: round(fraction * len(side))]:
            alive[index] = False
    return alive


def drop_signed_as_released(weights, fraction):
    """The survivors by the rule of P1's code: two thresholds found in the sorted layer, dead zeros in the middle.

    Its counts round down on each side, so that it may keep one weight fewer a side than the rule above.
    """
    values = sorted(weights)
    first_zero = min(range(len(values)), key=lambda i: (abs(values[i]), i))
    last_zero = min(range(len(values)), key=lambda i: (abs(values[i]), -i)) + 1
    largest_negative = values[int((1 - fraction) * first_zero)]
    smallest_positive = values[int(min(len(values) - 1, last_zero + fraction * (len(values) - last_zero)))]
    return [w > smallest_positive or w < largest_negative for w in weights]


def drop_magnitude(weights, alive, fraction):
    alive = list(alive)
    order = sorted((abs(w), i) for i, w in enumerate(weights) if alive[i])
    for _, index in order[: round(fraction * len(order))]:
        alive[index] = False
    return alive
