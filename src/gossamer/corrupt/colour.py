"""Brightness, contrast and saturation."""

from torch import Tensor

from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams


def brightness(images: Tensor, shift: float, streams: Streams) -> Tensor:  # (B, C, H, W) -> same
    """Raise V of HSV, the largest of the channels; hue and saturation stay, so all channels grow by the same factor."""
    value = images.amax(dim=1, keepdim=True)
    black = value == 0
    factor = (value + shift).clamp_(0, 1).div_(value + black)
    return images * factor + black * factor  # black becomes grey


def contrast(images: Tensor, factor: float, streams: Streams) -> Tensor:  # (B, C, H, W) -> same
    """Shrink the distances from each channel's mean."""
    mean = images.mean(dim=(2, 3), keepdim=True)
    return (images - mean).mul_(factor).add_(mean)


def saturate(images: Tensor, factor: float, shift: float, streams: Streams) -> Tensor:  # (B, 3, H, W) -> same
    """Change S of HSV to S · factor + shift, clipped; grey, whose hue is taken as 0, turns red where S grows from 0."""
    value = images.amax(dim=1, keepdim=True)
    spread = value - images.amin(dim=1, keepdim=True)  # S · V
    grey = spread == 0
    colour = spread / (value + (value == 0))
    wanted = (colour * factor + shift).clamp(0, 1) * value
    distance = value - images
    distance[:, 1:] += grey  # red: the first channel is the largest
    return value - distance.mul_(wanted.div_(spread + grey))


COLOUR = {
    "brightness": Corruption(
        brightness,
        by_family(
            cifar=(0.05, 0.10, 0.15, 0.20, 0.30), tiny=(0.1, 0.2, 0.3, 0.4, 0.5), imagenet=(0.1, 0.2, 0.3, 0.4, 0.5)
        ),
        "digital",
        random=False,
        bounds=((None, 1.0),),
    ),
    "contrast": Corruption(
        contrast,
        by_family(
            cifar=(0.75, 0.5, 0.4, 0.3, 0.15), tiny=(0.4, 0.3, 0.2, 0.1, 0.05), imagenet=(0.4, 0.3, 0.2, 0.1, 0.05)
        ),
        "digital",
        random=False,
    ),
}
SATURATE = Corruption(
    saturate,
    by_family(
        cifar=((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
        tiny=((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (30.0, 0.2)),
        imagenet=((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
    ),
    "extra",
    colour=True,
    random=False,
    bounds=((None, None), (None, 1.0)),
)
