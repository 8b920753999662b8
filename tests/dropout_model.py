"""A user's own network, with dropout: ``--model tests.dropout_model:network`` or ``dropout_model:network``."""

from torch import nn


def network(*, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> nn.Module:
    hidden = max(1, round(48 * width))
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * image_size**2, hidden),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(hidden, num_classes),
    )
