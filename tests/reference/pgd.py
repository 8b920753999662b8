"""PGD one sample and one pixel at a time, straight from Madry et al. 2018, section 2.1."""

from math import sqrt

import torch
from torch import Tensor, nn


def pgd(
    model: nn.Module, images: Tensor, labels: Tensor, start: Tensor, *, eps: float, step: float, steps: int, norm: str
) -> Tensor:
    """Every sample on its own; the model in the mode in which it is."""
    samples = zip(images, labels, start, strict=True)
    return torch.stack([_one(model, clean, label, at, eps, step, steps, norm) for clean, label, at in samples])


def _one(
    model: nn.Module, clean: Tensor, label: Tensor, at: Tensor, eps: float, step: float, steps: int, norm: str
) -> Tensor:
    pixels, middle = at.flatten().tolist(), clean.flatten().tolist()
    for _ in range(steps):
        slopes = _slopes(model, torch.tensor(pixels, dtype=clean.dtype).view_as(clean), label)
        pixels = [pixel + step * way for pixel, way in zip(pixels, _direction(slopes, norm), strict=True)]
        pixels = [min(1.0, max(0.0, pixel)) for pixel in _into_ball(pixels, middle, eps, norm)]
    return torch.tensor(pixels, dtype=clean.dtype).view_as(clean)


def _slopes(model: nn.Module, image: Tensor, label: Tensor) -> list[float]:
    image = image.unsqueeze(0).requires_grad_()
    loss = -torch.log_softmax(model(image), dim=1)[0, label]
    (gradient,) = torch.autograd.grad(loss, image)
    return gradient.flatten().tolist()


def _direction(slopes: list[float], norm: str) -> list[float]:
    if norm == "linf":
        return [(slope > 0) - (slope < 0) for slope in slopes]
    length = sqrt(sum(slope**2 for slope in slopes))
    return [slope / length for slope in slopes] if length > 0 else slopes


def _into_ball(pixels: list[float], middle: list[float], eps: float, norm: str) -> list[float]:
    changes = [pixel - clean for pixel, clean in zip(pixels, middle, strict=True)]
    if norm == "linf":
        changes = [min(eps, max(-eps, change)) for change in changes]
    elif (length := sqrt(sum(change**2 for change in changes))) > eps:
        changes = [change * eps / length for change in changes]
    return [clean + change for clean, change in zip(middle, changes, strict=True)]
