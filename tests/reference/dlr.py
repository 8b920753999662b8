"""The difference of logits ratio of one sample, straight from Croce & Hein 2020, section 4."""


def dlr(logits: list[float], label: int) -> float:
    falling = sorted(logits, reverse=True)
    others = [logit for number, logit in enumerate(logits) if number != label]
    return -(logits[label] - max(others)) / (falling[0] - falling[2])


def dlr_targeted(logits: list[float], label: int, target: int) -> float:
    falling = sorted(logits, reverse=True)
    return -(logits[label] - logits[target]) / (falling[0] - (falling[2] + falling[3]) / 2)
