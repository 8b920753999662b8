"""Networks that tell apart the first two, three or four digits, and images that they have right."""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.attacked import digits, network


@cache
def first_digits(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    """The network in evaluation mode (shared: leave it as found), 20 images and their labels."""
    model = network(classes, classes=classes)
    train, train_labels, images, labels = digits()
    rows = train_labels < classes
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(15):
        optimizer.zero_grad()
        cross_entropy(model(train[rows]), train_labels[rows]).backward()
        optimizer.step()
    optimizer.zero_grad()
    images, labels = images[labels < classes], labels[labels < classes]
    with torch.no_grad():
        right = model.eval()(images).argmax(1) == labels
    return model, images[right][:20], labels[right][:20]
