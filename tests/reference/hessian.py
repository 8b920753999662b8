"""A Hessian entry by entry: the gradient's gradient, one coordinate after the other, in one pass over all samples."""

from copy import deepcopy

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


def hessian(model, loss, inputs, labels, masks=None):
    """Rows and columns in the order of the parameters, the dead left out."""
    with sdpa_kernel(SDPBackend.MATH):  # the fused one has no second derivative
        return _hessian(deepcopy(model).eval(), loss, inputs, labels, masks)


def _hessian(model, loss, inputs, labels, masks):
    params = {name: p for name, p in model.named_parameters() if p.requires_grad}
    value = loss(model(inputs), labels)
    slopes = torch.autograd.grad(value, list(params.values()), create_graph=True, allow_unused=True)
    coordinates = [
        (name, i, None if slope is None else slope.flatten()[i])
        for (name, param), slope in zip(params.items(), slopes, strict=True)
        for i in range(param.numel())
        if masks is None or name not in masks or masks[name].flatten()[i]
    ]
    matrix = torch.zeros(len(coordinates), len(coordinates), dtype=torch.float64)
    for row, (_, _, slope) in enumerate(coordinates):
        if slope is None or not slope.requires_grad:
            continue
        second = torch.autograd.grad(slope, list(params.values()), retain_graph=True, allow_unused=True)
        by_name = dict(zip(params, second, strict=True))
        for column, (name, i, _) in enumerate(coordinates):
            if by_name[name] is not None:
                matrix[row, column] = by_name[name].flatten()[i]
    return matrix
