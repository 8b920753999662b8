"""Networks for small images in [0, 1], the images, and what an analysis must leave as it found it."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 3


def network(channels: int = 2, side: int = 8, seed: int = 0) -> nn.Sequential:
    """A convolution, batch norm whose statistics were moved, dropout and a classifier that names every class."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(3)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, CLASSES))
        images = torch.rand(30, channels, side, side)
        model(images)
        model[-1].bias.data -= model.eval()(images).mean(0).detach()
    model.train()
    return model


def pictures(
    count: int = 13, channels: int = 2, height: int = 8, width: int = 8, seed: int = 1
) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    images = torch.rand(count, channels, height, width, generator=stream)
    return images, torch.randint(CLASSES, (count,), generator=stream)


def loader(shuffle: bool = False, size: int = 4) -> DataLoader:
    return DataLoader(TensorDataset(*pictures()), batch_size=size, shuffle=shuffle)


@contextmanager
def left_as_found(model: nn.Module) -> Iterator[None]:
    """Modes, parameters, buffers, gradients, flags, hooks and the random state are the same afterwards."""
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, 3.0)
    before, state = deepcopy(model), torch.random.get_rng_state()
    yield
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in model.modules()] == [module.training for module in before.modules()]
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in model.state_dict().items())
    assert all(bool((weight.grad == 3).all()) for weight in model.parameters())
    flags = [weight.requires_grad for weight in before.parameters()]
    assert [weight.requires_grad for weight in model.parameters()] == flags
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(module._backward_hooks for module in model.modules())
