"""Everything about a sequence of masks from Python sets of live places, kept whole."""


def places(masks):
    """The live places of masks by name, as a set."""
    return {(name, int(place)) for name, mask in masks.items() for place in mask.flatten().nonzero().flatten()}


def row(steps, sets, weights):
    """What is known after the last of several sets of live places."""
    start, now, before = sets[0], sets[-1], sets[-2] if len(sets) > 1 else sets[0]
    ages = []
    for place in now:
        born = len(sets) - 1
        while born > 0 and place in sets[born - 1]:
            born -= 1
        ages.append(steps[-1] - steps[born])

    def share(part, whole):
        return len(part) / len(whole) if whole else None

    return {
        "step": steps[-1],
        "live": len(now),
        "born": len(now - before),
        "died": len(before - now),
        "density": len(now) / weights,
        "overlap_start": share(start & now, start | now),
        "overlap_previous": share(before & now, before | now),
        "survived": share(start & now, start),
        "unbroken": share(set.intersection(*sets), start),
        "kept": share(before & now, before),
        "age": sum(ages) / len(ages) if ages else None,
        "explored": len(set.union(*sets)) / weights,
    }
