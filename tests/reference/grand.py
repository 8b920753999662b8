"""Gradient norms by backward(), one sample at a time, on a copy of the network."""

import math
from copy import deepcopy

from torch.nn.functional import cross_entropy


def grand(model, images, labels, masks=None):
    model = deepcopy(model).eval()
    norms = []
    for image, label in zip(images, labels, strict=True):
        model.zero_grad(set_to_none=True)
        cross_entropy(model(image[None]), label[None]).backward()
        total = 0.0
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                gradient = parameter.grad.double()
                total += float(
                    (gradient**2 if masks is None or name not in masks else gradient[masks[name]] ** 2).sum()
                )
        norms.append(math.sqrt(total))
    return norms
