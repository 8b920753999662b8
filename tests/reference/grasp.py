"""GraSP with the whole Hessian on the table."""

import torch
from torch.autograd.functional import hessian
from torch.func import functional_call


def importance(model, loss_fn, batch, names, temperature):
    """θ_q · Σ_p H_qp g_p, one weight after the other."""
    inputs, targets = batch
    weights = {name: dict(model.named_parameters())[name].detach() for name in names}
    sizes = [weight.numel() for weight in weights.values()]

    def loss(flat):
        parts = {name: part.view(weights[name].shape) for name, part in zip(names, flat.split(sizes), strict=True)}
        return loss_fn(functional_call(model, parts, (inputs,)) / temperature, targets)

    theta = torch.cat([weight.reshape(-1) for weight in weights.values()])
    curvature = hessian(loss, theta)
    gradient = torch.func.grad(loss)(theta)
    scores = [
        theta[q].item() * sum(curvature[q, p].item() * gradient[p].item() for p in range(len(theta)))
        for q in range(len(theta))
    ]
    parts = torch.tensor(scores, dtype=torch.float64).split(sizes)
    return {name: part.view(weights[name].shape) for name, part in zip(names, parts, strict=True)}
