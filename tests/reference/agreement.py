"""Predictions, disagreement and ensembles, one sample and one class at a time."""

import math


def predicted(scores):
    labels = []
    for row in scores:
        best = 0
        for c, value in enumerate(row):
            if value > row[best]:
                best = c
        labels.append(best)
    return labels


def disagreement(first, second):
    return sum(a != b for a, b in zip(first, second, strict=True)) / len(first)


def softmax(row):
    exponentials = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def ensemble(members, labels, logits=False):
    """Accuracy of the mean probabilities, or of the mean logits, of (K, N, C)."""
    right = 0
    for sample, label in enumerate(labels):
        rows = [member[sample] if logits else softmax(member[sample]) for member in members]
        mean = [sum(values) / len(rows) for values in zip(*rows, strict=True)]
        right += predicted([mean])[0] == label
    return right / len(labels)
