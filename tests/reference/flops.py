"""Counting operations the slow way: one multiply-add at a time, one training step at a time."""

from collections.abc import Mapping, Sequence
from itertools import product

from torch import Tensor, nn


def convolution(layer: nn.Conv2d, side: int, mask: Tensor) -> int:
    """Walk over every output pixel and every kernel entry of a square image's convolution."""
    (kernel, _), (stride, _), (dilation, _) = layer.kernel_size, layer.stride, layer.dilation
    padded = side + 2 * layer.padding[0]
    starts = [s for s in range(0, padded, stride) if s + dilation * (kernel - 1) < padded]
    operations = 0
    for _y, _x in product(starts, starts):
        for outgoing in range(layer.out_channels):
            for incoming, ky, kx in product(range(layer.in_channels // layer.groups), range(kernel), range(kernel)):
                operations += 2 * int(mask[outgoing, incoming, ky, kx])
    return operations


def transposed_convolution(layer: nn.ConvTranspose2d, side: int, mask: Tensor) -> int:
    """Every input pixel of every input channel is multiplied with that channel's kernel entries."""
    operations = 0
    for _y, _x in product(range(side), range(side)):
        for incoming in range(layer.in_channels):
            operations += 2 * int(mask[incoming].sum())
    return operations


def training(
    schedule: Sequence[tuple[Mapping[str, int], bool]], sizes: Mapping[str, int], per_weight: Mapping[str, int]
) -> int:
    """Add up forward pass, input gradient and weight gradient of every layer of every step."""
    operations = 0
    for live, dense_gradient in schedule:
        for name, size in sizes.items():
            forward = live[name] * per_weight[name]
            weight_gradient = (size if dense_gradient else live[name]) * per_weight[name]
            operations += forward + forward + weight_gradient
    return operations


def rigl_per_step(dense: int, sparse: int, every: int) -> float:
    """Average step of RigL (arXiv:1911.11134): one dense gradient after each ΔT ordinary steps."""
    return (3 * sparse * every + 2 * sparse + dense) / (every + 1)
