"""Grad-CAM one image at a time, from section 3 of Selvaraju et al. 2017, for a network of two halves."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def grad_cam(features: nn.Module, classifier: nn.Module, image: Tensor, label: int) -> Tensor:
    maps = features(image.unsqueeze(0)).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(classifier(maps)[0, label], maps)
    combined = torch.zeros(maps.shape[-2:])
    for one, slope in zip(maps[0], slopes[0], strict=True):
        combined += slope.mean() * one.detach()
    combined = combined.clamp(min=0)
    large = functional.interpolate(combined[None, None], image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return large / large.max() if large.max() > 0 else large
