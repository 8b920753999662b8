"""Which input reaches which output of a layer: found by asking it, channel by channel."""

import torch
from torch import nn


def reach(layer: nn.Module, inputs: int, spatial: int) -> list[list[int]]:
    """For every input and output channel: how many weights lie between them, given that each is 0 or 1 (no bias).

    A 1 in the middle of one input channel is multiplied with every weight of a kernel once.
    """
    rows = []
    for channel in range(inputs):
        impulse = torch.zeros(1, inputs, *[9] * spatial)
        impulse[(0, channel, *[4] * spatial)] = 1
        outputs = layer(impulse if spatial else impulse.flatten(1))
        rows.append([int(value) for value in outputs[0].flatten(1).sum(1)] if spatial else outputs[0].int().tolist())
    return rows
