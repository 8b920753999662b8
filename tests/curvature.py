"""Small networks of every kind and their data, for tests of curvature; in float64, so that results are exact."""

import torch
from torch import nn
from torch.nn import functional as F


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.last(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Twice(nn.Module):
    """One layer called twice, beside one of its own."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(torch.tanh(self.layer(torch.tanh(self.layer(x)))))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle, self.last = nn.Linear(4, 3), nn.Linear(2, 2), nn.Linear(3, 3)

    def forward(self, x):
        return self.last(F.softplus(self.used(x)))


class Backwards(nn.Module):
    """Layers registered in the opposite order of their use, and one of them used as a bare weight besides."""

    def __init__(self):
        super().__init__()
        self.last, self.middle, self.first = nn.Linear(4, 3), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        hidden = torch.tanh(self.middle(torch.tanh(self.first(x))))
        return self.last(hidden + F.linear(x, self.middle.weight))


class Tokens(nn.Module):
    """Attention over three tokens; its linear layers see several rows a sample."""

    def __init__(self):
        super().__init__()
        self.block = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.3, activation="gelu", batch_first=True)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.block(x.reshape(len(x), -1, 4).repeat(1, 3, 1)).mean(1))


class Square(torch.autograd.Function):
    """x², twice differentiable in reverse mode and in no other."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        return 2 * x * slope


class Reverse(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.last(Square.apply(self.first(x)))


def dense():
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4, bias=False), nn.Tanh(), nn.Linear(4, 3))


def convolutional():
    layers = [nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, 1), nn.GELU(), nn.Flatten()]
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Upsample(scale_factor=3), *layers, nn.Linear(12, 3))


def dropout():
    return nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3))


def batch_norm():
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, 4))
    return model


def mixing():
    """Batch norm by the batch's own statistics, also in evaluation."""
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Tanh(), nn.Linear(5, 3))


def frozen():
    model = dense()
    model[0].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    return model


def linear():
    return nn.Linear(4, 3)


NETWORKS = {
    "linear": linear,
    "dense": dense,
    "convolutional": convolutional,
    "dropout": dropout,
    "batch norm": batch_norm,
    "tied": Tied,
    "called twice": Twice,
    "unused": Unused,
    "backwards": Backwards,
    "tokens": Tokens,
    "frozen": frozen,
    "reverse mode only": Reverse,
}


def network(name, seed=0):
    torch.manual_seed(seed)
    made = {**NETWORKS, "mixing": mixing}[name]()
    return made.double()


def samples(count=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def random_masks(model, density=0.6, seed=0):
    """Of the weights; the dead are zero afterwards."""
    generator = torch.Generator().manual_seed(seed)
    masks = {
        name: torch.rand(p.shape, generator=generator) < density
        for name, p in model.named_parameters()
        if p.dim() > 1 and p.requires_grad
    }
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p.mul_(masks[name])
    return masks
