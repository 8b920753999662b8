"""Paths between networks, batch-norm statistics, barriers and maps by their definitions, one thing at a time."""

import copy
import math

import torch
from torch import nn


def mixed(start, end, alpha):
    """Every tensor (1 - alpha) start + alpha end; whole numbers are the start's."""
    return {
        name: (1 - alpha) * tensor + alpha * end[name] if tensor.is_floating_point() else tensor
        for name, tensor in start.items()
    }


def batch_norm(model, batches):
    """A copy whose batch-norm statistics are plain averages over batches of one size."""
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a cumulative average
            module.train()
    with torch.no_grad():
        for inputs, _ in batches:
            model(inputs)
    return model.eval()


def measured(model, inputs, labels):
    """Cross-entropy and accuracy, sample by sample."""
    loss, right = 0.0, 0
    with torch.no_grad():
        for sample, label in zip(inputs, labels.tolist(), strict=True):
            logits = model(sample[None])[0].double().tolist()
            loss += math.log(sum(math.exp(value) for value in logits)) - logits[label]
            right += logits.index(max(logits)) == label
    return loss / len(labels), right / len(labels)


def interpolated(model, start, end, inputs, labels, alphas, size):
    """(loss, accuracy) for each alpha, batch-norm statistics averaged over batches of `size`."""
    rows = []
    for alpha in alphas:
        here = copy.deepcopy(model)
        here.load_state_dict(mixed(start, end, alpha))
        here = batch_norm(here, zip(inputs.split(size), labels.split(size), strict=True))
        rows.append(measured(here, inputs, labels))
    return rows


def barrier(alphas, losses):
    at = dict(zip(alphas, losses, strict=True))
    inside = [alpha for alpha in alphas if 0 <= alpha <= 1]
    return max(at[alpha] - ((1 - alpha) * at[0] + alpha * at[1]) for alpha in inside)


def l2(first, second):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))


def cosine(first, second):
    product = sum(a * b for a, b in zip(first, second, strict=True))
    return 1 - product / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def stress(positions, distances):
    above, below = 0.0, 0.0
    for i in range(len(positions)):
        for j in range(i):
            here = math.dist(positions[i], positions[j])
            above += (here - distances[i][j]) ** 2
            below += here**2
    return math.sqrt(above / below)
