"""Scores of logits by their definitions, one sample, one epoch and one class at a time; numbers in, numbers out."""

import math


def probabilities(logits):
    exponentials = [math.exp(value - max(logits)) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def margin(logits, label):
    """How much larger the largest other output is than the true one."""
    return max(value for c, value in enumerate(logits) if c != label) - logits[label]


def loss(logits, label):
    return -math.log(probabilities(logits)[label])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def over_models(models, labels, score):
    """The mean over models of a function of one sample's logits and label."""
    return [mean(score(model[n], label) for model in models) for n, label in enumerate(labels)]


def over_runs(runs, labels, score):
    """The mean over runs of a function of one sample's list of logits, epoch by epoch, and label."""
    return [mean(score([epoch[n] for epoch in run], label) for run in runs) for n, label in enumerate(labels)]


def aum(epochs, label):
    return mean(margin(logits, label) for logits in epochs)


def confidence(epochs, label):
    return 1 - mean(probabilities(logits)[label] for logits in epochs)


def variability(epochs, label):
    values = [probabilities(logits)[label] for logits in epochs]
    return math.sqrt(mean((value - mean(values)) ** 2 for value in values))


def forgetting(runs, labels):
    """Walk through the epochs; a run in which a sample is never right counts all its epochs, unless all runs are so."""
    scores = []
    for n, label in enumerate(labels):
        counts, ever = [], False
        for run in runs:
            learned, events, right_before = False, 0, False
            for epoch in run:
                right = margin(epoch[n], label) < 0
                learned = learned or right
                events += right_before and not right
                right_before = right
            counts.append(events if learned else len(run))
            ever = ever or learned
        scores.append(mean(counts) if ever else math.inf)
    return scores


def consistency(runs, labels, held_out=None):
    scores = []
    for n, label in enumerate(labels):
        wrong = [
            mean(margin(epoch[n], label) >= 0 for epoch in run)
            for k, run in enumerate(runs)
            if held_out is None or held_out[k][n]
        ]
        scores.append(mean(wrong))
    return scores
