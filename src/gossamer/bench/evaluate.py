"""What a trained network answers."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossamer.bench.samples import Samples, as_input, autocast
from gossamer.bench.settings import TrainSettings
from gossamer.core.modes import evaluating


@torch.inference_mode()
def evaluate(model: nn.Module, samples: Samples, settings: TrainSettings, batch_size: int = 1000) -> dict[str, float]:
    """Accuracy and loss in evaluation mode, without augmentation; the model's modes are left as found.

    Args:
        model: the network.
        samples: the test set, on the model's device.
        settings: precision and layout.
        batch_size: images at once; has no influence on the result beyond rounding.

    Returns:
        ``accuracy`` in [0, 1] and mean ``loss``.
    """
    outputs = logits(model, samples.images, settings, batch_size)
    right = (outputs.argmax(1) == samples.labels).sum()
    return {"accuracy": int(right) / len(samples), "loss": float(cross_entropy(outputs, samples.labels))}


@torch.inference_mode()
def logits(model: nn.Module, images: Tensor, settings: TrainSettings, batch_size: int = 1000) -> Tensor:
    """The network's outputs in evaluation mode, float32 (N, C).

    Args:
        model: the network; its modes are left as found.
        images: uint8 (N, C, H, W).
        settings: precision and layout.
        batch_size: images at once.

    Returns:
        The outputs.
    """
    with evaluating(model), autocast(images.device, settings):
        return torch.cat([model(as_input(part, settings)).float() for part in torch.split(images, batch_size)])
