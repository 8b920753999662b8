"""Means over corruptions, written out: accuracies as {kind: [severity 1, 2, ...]}."""


def mean(accuracies):
    total, kinds = 0.0, 0
    for values in accuracies.values():
        total += sum(values) / len(values)
        kinds += 1
    return total / kinds


def relative_gain(accuracies, baseline):
    return {
        (kind, severity + 1): (value - baseline[kind][severity]) / baseline[kind][severity]
        for kind, values in accuracies.items()
        for severity, value in enumerate(values)
    }


def mean_corruption_error(accuracies, baseline):
    """Hendrycks & Dietterich: CE of a kind is a quotient of sums of errors; mCE is their mean."""
    quotients = []
    for kind, values in accuracies.items():
        errors = [1 - value for value in values]
        others = [1 - value for value in baseline[kind]]
        quotients.append(sum(errors) / sum(others))
    return sum(quotients) / len(quotients)
