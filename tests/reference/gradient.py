"""The masked gradient of the mean loss by backward(), one sample at a time, on a copy of the network."""

import math
from copy import deepcopy


def mean_gradient(model, loss, images, labels, masks=None):
    """The loss and the dense gradients by name, zero where dead."""
    model = deepcopy(model).eval()
    model.zero_grad(set_to_none=True)
    total = 0.0
    for image, label in zip(images, labels, strict=True):
        value = loss(model(image[None]), label[None])
        value.backward()
        total += float(value.detach())
    gradients = {}
    for name, parameter in model.named_parameters():
        gradient = 0 * parameter.detach() if parameter.grad is None else parameter.grad / len(labels)
        if masks is not None and name in masks:
            gradient[~masks[name]] = 0
        gradients[name] = gradient
    return total / len(labels), gradients


def norm(gradients, order=2):
    """The p-norm of all entries, added up in Python."""
    total = 0.0
    for gradient in gradients:
        for entry in gradient.flatten().tolist():
            total += abs(entry) ** order
    return math.pow(total, 1 / order)


def effective_flow(gradients, masks, order):
    """The mean over weight tensors of their norms."""
    norms = [norm([g], order) for name, g in gradients.items() if g.dim() > 1 or name in (masks or {})]
    return sum(norms) / len(norms)
