"""EL2N by its definition, one sample and one class at a time."""

import math


def el2n(models, labels, squared=False):
    scores = []
    for sample, label in enumerate(labels):
        norms = []
        for logits in models:
            exponentials = [math.exp(logit) for logit in logits[sample]]
            total = sum(exponentials)
            errors = [value / total - (1.0 if c == label else 0.0) for c, value in enumerate(exponentials)]
            norm = sum(error**2 for error in errors)
            norms.append(norm if squared else math.sqrt(norm))
        scores.append(sum(norms) / len(norms))
    return scores


def hardest(scores, keep):
    """Take away the easiest sample, of equal ones the last, until the wanted number is left."""
    left = list(range(len(scores)))
    while len(left) > round(keep * len(scores)):
        easiest = min(left, key=lambda index: (scores[index], -index))
        left.remove(easiest)
    return left
