"""Projections onto hyperplanes in a box, exhaustively; and FAB's steps one sample at a time (arXiv:1907.02044)."""

from collections.abc import Callable
from itertools import product

import torch
from scipy.optimize import linprog
from torch import Tensor


def distance_linf(x: list[float], w: list[float], height: float) -> float | None:
    """min t with |z - x| ≤ t, height + <w, z - x> = 0 and z in the box, as a linear program; None: there is no z."""
    d = len(x)
    bounds = [(0.0, 1.0)] * d + [(0.0, None)]
    above = [[float(i == j) for j in range(d)] + [-1.0] for i in range(d)]
    below = [[-float(i == j) for j in range(d)] + [-1.0] for i in range(d)]
    found = linprog(
        [0.0] * d + [1.0],
        A_ub=above + below,
        b_ub=x + [-value for value in x],
        A_eq=[[*w, 0.0]],
        b_eq=[sum(a * b for a, b in zip(w, x, strict=True)) - height],
        bounds=bounds,
    )
    return float(found.fun) if found.status == 0 else None


def nearest_l2(x: list[float], w: list[float], height: float) -> list[float] | None:
    """Every choice of coordinates at 0, at 1 and free; the free ones go along w. None: there is no z."""
    best, nearest = None, float("inf")
    for choice in product((0.0, 1.0, None), repeat=len(x)):
        fixed = [x[i] if at is None else at for i, at in enumerate(choice)]
        left = height + sum(w[i] * (fixed[i] - x[i]) for i in range(len(x)))
        length = sum(w[i] ** 2 for i, at in enumerate(choice) if at is None)
        if length == 0 and abs(left) > 1e-9:
            continue
        z = [fixed[i] - (left / length * w[i] if at is None and length else 0) for i, at in enumerate(choice)]
        far = sum((a - b) ** 2 for a, b in zip(z, x, strict=True))
        if min(z) >= -1e-12 and max(z) <= 1 + 1e-12 and far < nearest:
            best, nearest = z, far
    return best


def lowest_corner(x: list[float], w: list[float], height: float) -> float:
    """How near to the hyperplane the box comes, |height + <w, z - x>|, where it does not meet it."""
    return min(
        abs(height + sum(w[i] * (z[i] - x[i]) for i in range(len(x)))) for z in product((0.0, 1.0), repeat=len(x))
    )


def project(x: Tensor, w: Tensor, height: float, norm: str) -> Tensor:
    """By bisection: how far the coordinates move, until the hyperplane is reached or all are at the box."""
    way = -w.sign() * (1 if height > 0 else -1 if height < 0 else 0)
    speed = torch.ones_like(w) if norm == "linf" else w.abs()

    def at(length: float) -> Tensor:
        return (x + way * length * speed).clamp(0, 1)

    low, high = 0.0, 1.0 / float(speed[speed > 0].min())
    for _ in range(200):
        middle = (low + high) / 2
        reached = abs(float(w @ (at(middle) - x))) >= abs(height)
        low, high = (low, middle) if reached else (middle, high)
    return at(high)


def search(
    margin: Callable[[Tensor], Tensor], fooled: Callable[[Tensor], bool], clean: Tensor, steps: int, norm: str
) -> tuple[Tensor | None, list[Tensor]]:
    """The nearest fooling image after all steps, and the image from which each step was made."""
    alpha_max, eta, beta = 0.1, 1.05, 0.9
    order = float("inf") if norm == "linf" else 2
    x, best, u, places = clean, None, float("inf"), []
    for _ in range(steps):
        places.append(x)
        leaf = x.clone().requires_grad_()
        value = margin(leaf)
        (w,) = torch.autograd.grad(value, leaf)
        height = float(value.detach())
        delta = project(x, w, height, norm) - x
        delta_clean = project(clean, w, height + float(w @ (clean - x)), norm) - clean
        here, there = float(delta.norm(order)), float(delta_clean.norm(order))
        alpha = min(here / (here + there), alpha_max)
        x = ((1 - alpha) * (x + eta * delta) + alpha * (clean + eta * delta_clean)).clamp(0, 1)
        if fooled(x):
            if float((x - clean).norm(order)) < u:
                best, u = x, float((x - clean).norm(order))
            x = (1 - beta) * clean + beta * x
    return best, places
