"""What the networks of the table are and cost, counted rather than written down."""

from dataclasses import dataclass
from typing import Any

import torch

from gossamer.analyze.flops import forward_flops
from gossamer.bench.models.build import build
from gossamer.bench.models.families import MODELS


@dataclass(frozen=True)
class Summary:
    """What a network of the table is and costs, at the size it is usually trained at.

    Attributes:
        name: as in :data:`MODELS`.
        description: one line.
        image_size: side of the square images.
        channels: their channels.
        num_classes: outputs.
        parameters: all of them, biases and batch norm included.
        forward_flops: operations for one image.
    """

    name: str
    description: str
    image_size: int
    channels: int
    num_classes: int
    parameters: int
    forward_flops: int


def describe() -> list[Summary]:
    """Count the parameters and operations of every network of :data:`MODELS`, in the order of the table.

    Returns:
        One summary a network.

    Example:
        >>> [(row.name, row.parameters) for row in describe()][:2]
        [('lenet5', 44426), ('mlp300', 266610)]
    """
    return [_summary(name) for name in MODELS]


def _summary(name: str) -> Summary:
    row = MODELS[name]
    sizes: dict[str, Any] = {"num_classes": row.num_classes, "image_size": row.image_size, "channels": row.channels}
    with torch.device("meta"):  # shapes without memory or arithmetic
        model = build(name, **sizes)
    flops = sum(forward_flops(model, (row.channels, row.image_size, row.image_size)).values())
    parameters = sum(p.numel() for p in model.parameters())
    return Summary(name, row.description, **sizes, parameters=parameters, forward_flops=flops)
