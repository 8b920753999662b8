"""Pictures that the tests of corruptions share."""

import torch

from gossamer.corrupt import CORRUPTIONS
from gossamer.corrupt.streams import Streams

COLOURLESS = tuple(name for name, kind in CORRUPTIONS.items() if not kind.colour)


def pictures(count=4, size=32, channels=3, seed=0):
    """Smooth ones with some noise, and black, white, grey and saturated parts, uint8 (count, channels, size, size)."""
    stream = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 5, 5, generator=stream) * 1.6 - 0.3
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    noisy = 255 * smooth + 6 * torch.randn(smooth.shape, generator=stream)
    levels = noisy.clamp(0, 255).to(torch.uint8)
    levels[:, :, :2] = torch.arange(size).mul(255 // size).to(torch.uint8)  # grey, from black
    return levels


def streams_of(name, severity, count, seed=0):
    """Those that ``corrupt`` gives a kind for the first images of a set."""
    return Streams(seed, name, severity, range(count))
