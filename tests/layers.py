"""Random layers, and a walk through a method's steps without a training loop, for the tests of rewiring."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from gossamer import Masks, Method

SHAPES = ((7, 5), (4, 3, 3, 3), (6, 4), (3, 6, 2, 2))


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(seed: int, shapes: Sequence[Sequence[int]] = SHAPES) -> dict[str, nn.Parameter]:
    """Normal weights, no two alike."""
    draws = stream(seed)
    return {f"{place}.weight": nn.Parameter(torch.randn(*shape, generator=draws)) for place, shape in enumerate(shapes)}


def gradients(params: dict[str, nn.Parameter], seed: int) -> dict[str, Tensor]:
    draws = stream(seed)
    return {name: torch.randn(weight.shape, generator=draws) for name, weight in params.items()}


def layer(seed: int) -> tuple[Tensor, Tensor, Tensor, torch.Generator]:
    """Weight, mask and dense gradient of a random layer, its dead weights zero, and a generator."""
    draws = stream(seed)
    shape = tuple(int(torch.randint(1, 9, (), generator=draws)) for _ in range(2))
    mask = torch.rand(shape, generator=draws) < torch.rand((), generator=draws)
    weight, grad = torch.randn(shape, generator=draws), torch.randn(shape, generator=draws)
    return weight * mask, mask, grad, draws


def walk(method: Method, params: dict[str, nn.Parameter], seed: int = 0) -> Iterator[tuple[int, Masks]]:
    """Each step and the masks after it; weights change between steps as if they were trained."""
    draws = stream(seed)
    masks = method.masks(params, draws)
    with torch.no_grad():
        for step in range(method.total_steps):
            for name, weight in params.items():
                weight.copy_(torch.randn(weight.shape, generator=draws) * masks[name])
            if method.due(step):
                masks = method.rewire(step, masks, params, gradients(params, step), draws)
            yield step, masks
