"""Images and labels in memory, and how they reach a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.bench.settings import TrainSettings


@dataclass(frozen=True)
class Samples:
    """Images and labels in memory.

    Args:
        images: uint8 (N, C, H, W).
        labels: int64 (N,).
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Samples":
        """The same samples on a device."""
        return Samples(self.images.to(device), self.labels.to(device))


def as_input(images: Tensor, settings: TrainSettings) -> Tensor:
    """Levels 0..255 as a float batch in [0, 1], in the layout of the settings.

    Example:
        >>> as_input(torch.tensor([[[[255]]]], dtype=torch.uint8), TrainSettings()).item()
        1.0

    Returns:
        float32 (B, C, H, W).
    """
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return images.to(torch.float32, memory_format=layout).div_(255)


def autocast(device: torch.device, settings: TrainSettings) -> torch.autocast:
    """bf16 where the settings say so, otherwise nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.precision == "bf16")


def steps_per_epoch(count: int, settings: TrainSettings) -> int:
    """Optimizer steps an epoch: a last smaller batch counts, unless it is a single image.

    Example:
        >>> steps_per_epoch(300, TrainSettings(batch_size=128)), steps_per_epoch(257, TrainSettings(batch_size=128))
        (3, 2)

    Returns:
        A whole number, at least 1.
    """
    whole, rest = divmod(count, settings.batch_size)
    return max(1, whole + (rest > 1))
