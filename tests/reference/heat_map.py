"""A Fourier heat map one image and one frequency of the whole plane at a time."""

import torch
from torch import Tensor, nn

from tests.reference.fourier import basis, mirrored


def wrong_images(
    model: nn.Module, images: Tensor, labels: Tensor, eps: float, signs: dict[tuple[int, int], Tensor]
) -> list[list[int]]:
    """Wrong images by frequency of the centred plane; ``signs`` (N, C) by the first of two mirror images in reading
    order.
    """
    height, width = images.shape[-2:]
    counts = []
    for u in range(-(height // 2), (height + 1) // 2):
        counts.append([])
        for v in range(-(width // 2), (width + 1) // 2):
            first = min((u, v), (mirrored(u, height), mirrored(v, width)))
            noise = eps * torch.tensor(basis(*first, height, width), dtype=torch.complex128).real
            counts[-1].append(_wrong(model, images, labels, noise, signs[first]))
    return counts


def _wrong(model: nn.Module, images: Tensor, labels: Tensor, noise: Tensor, signs: Tensor) -> int:
    wrong = 0
    for image, label, sign in zip(images, labels, signs, strict=True):
        noisy = torch.stack([(channel + s * noise).clamp(0, 1) for channel, s in zip(image, sign, strict=True)])
        wrong += int(model(noisy.unsqueeze(0).to(image.dtype)).argmax()) != int(label)
    return wrong
