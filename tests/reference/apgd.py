"""APGD one sample at a time, straight from Croce & Hein 2020, Algorithm 1, every image and every loss kept."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil

import torch
from torch import Tensor


def checkpoints(steps: int) -> list[int]:
    p = [Fraction(0), Fraction(22, 100)]
    while p[-1] <= 1:
        p.append(p[-1] + max(p[-1] - p[-2] - Fraction(3, 100), Fraction(6, 100)))
    w: list[int] = []
    for share in p:
        if share <= 1 and ceil(share * steps) not in w:
            w.append(ceil(share * steps))
    return w


def apgd(
    loss_of: Callable[[Tensor], Tensor], fooled: Callable[[Tensor], bool], x0: Tensor, start: Tensor, **settings
) -> tuple[Tensor, list[Tensor], list[float]]:
    """The image, all images at which the loss was asked for, and the best loss after each step."""
    eps, norm, steps = settings["eps"], settings["norm"], settings["steps"]
    alpha, rho = settings.get("alpha", 0.75), settings.get("rho", 0.75)

    def gradient(x: Tensor) -> Tensor:
        leaf = x.clone().requires_grad_()
        loss_of(leaf).backward()
        return leaf.grad.sign() if norm == "linf" else leaf.grad / leaf.grad.norm()

    def f(x: Tensor) -> float:
        with torch.no_grad():
            return float(loss_of(x))

    def inside(x: Tensor) -> Tensor:
        if norm == "linf":
            x = torch.minimum(torch.maximum(x, x0 - eps), x0 + eps)
        elif (x - x0).norm() > eps:
            x = x0 + eps * (x - x0) / (x - x0).norm()
        return x.clamp(0, 1)

    w = checkpoints(steps)
    eta = {0: 2 * eps}
    x, x_max = [start], start
    losses, f_max = [f(start)], [f(start)]
    asked = [start]
    for k in range(steps):
        if fooled(x[k]):
            return x[k], asked, f_max
        z = inside(x[k] + eta[k] * gradient(x[k]))
        x.append(z if k == 0 else inside(x[k] + alpha * (z - x[k]) + (1 - alpha) * (x[k] - x[k - 1])))
        asked.append(x[k + 1])
        losses.append(f(x[k + 1]))
        f_max.append(max(f_max[k], losses[k + 1]))
        if losses[k + 1] > f_max[k]:
            x_max = x[k + 1]
        eta[k + 1] = eta[k]
        if k + 1 in w and not fooled(x[k + 1]):
            j = w.index(k + 1)
            rises = sum(losses[i + 1] > losses[i] for i in range(w[j - 1], w[j]))
            one = rises < rho * (w[j] - w[j - 1])
            same_step = j == 1 or eta[w[j - 1] - 1] == eta[w[j] - 1]  # both as they are before this checkpoint halves
            two = same_step and f_max[w[j - 1]] == f_max[w[j]]
            if one or two:
                eta[k + 1] = eta[k] / 2
                x[k + 1], losses[k + 1] = x_max, f_max[k + 1]
    return (x[steps] if fooled(x[steps]) else x_max), asked, f_max
