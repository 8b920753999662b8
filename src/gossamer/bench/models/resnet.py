"""ResNet18 and ResNet34 (He et al. 2016, arXiv:1512.03385) for small images, as Xiao et al. 2024 use them.

Xiao et al., "Are Sparse Neural Networks Better Hard Sample Learners?", arXiv:2409.09196.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.bench.models.sizes import scaled


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the input; a 1x1 convolution fits the input where shapes differ.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv(outputs, outputs, 3, 1, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = _conv(inputs, outputs, 1, stride, padding=0)
            self.shortcut = nn.Sequential(OrderedDict(conv=projection, bn=nn.BatchNorm2d(outputs)))

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, H, W) -> (B, outputs, H / stride, W / stride)
        """Apply the block."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """Four stages of basic blocks, a global average pool and a linear classifier without bias.

    The stem is a 3x3 convolution with stride 1, or 7x7 with stride 2 for images of 64 pixels and more (TinyImageNet);
    there is no max-pooling in either. Convolutions start from He's normal distribution on the fan-in.

    Args:
        blocks: blocks of each of the four stages.
        num_classes: outputs.
        image_size: side of the square images; any works.
        channels: channels of the images.
        width: factor on the widths 64, 128, 256, 512.
    """

    def __init__(
        self, blocks: Sequence[int], *, num_classes: int, image_size: int, channels: int, width: float = 1.0
    ) -> None:
        super().__init__()
        c1, c2, c3, c4 = scaled((64, 128, 256, 512), width)
        self.normalize: nn.Module = nn.Identity()
        self.conv1 = _conv(channels, c1, 3, 1, padding=1) if image_size < 64 else _conv(channels, c1, 7, 2, padding=3)
        self.bn1 = nn.BatchNorm2d(c1)
        self.layer1 = _stage(c1, c1, blocks[0], stride=1)
        self.layer2 = _stage(c1, c2, blocks[1], stride=2)
        self.layer3 = _stage(c2, c3, blocks[2], stride=2)
        self.layer4 = _stage(c3, c4, blocks[3], stride=2)
        self.fc = nn.Linear(c4, num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = F.relu(self.bn1(self.conv1(self.normalize(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]  # modules return Any


def resnet18(*, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> ResNet:
    """Build a ResNet with two basic blocks in each stage.

    Args:
        num_classes: outputs.
        image_size: side of the square images; any works.
        channels: channels of the images.
        width: factor on the widths 64, 128, 256, 512.

    Returns:
        The network; 11,210,432 convolution and linear weights for 100 classes of 32x32x3 images.

    Example:
        >>> import torch
        >>> model = resnet18(num_classes=10, image_size=32, channels=3, width=0.1)
        >>> model(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    return ResNet((2, 2, 2, 2), num_classes=num_classes, image_size=image_size, channels=channels, width=width)


def resnet34(*, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> ResNet:
    """Build a ResNet with 3, 4, 6 and 3 basic blocks in its stages.

    Args:
        num_classes: outputs.
        image_size: side of the square images; any works.
        channels: channels of the images.
        width: factor on the widths 64, 128, 256, 512.

    Returns:
        The network; 21,311,168 convolution and linear weights for 100 classes of 32x32x3 images.

    Example:
        >>> len(resnet34(num_classes=10, image_size=64, channels=3, width=0.1).layer3)
        6
    """
    return ResNet((3, 4, 6, 3), num_classes=num_classes, image_size=image_size, channels=channels, width=width)


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [BasicBlock(outputs, outputs, stride=1) for _ in range(blocks - 1)]
    return nn.Sequential(BasicBlock(inputs, outputs, stride), *rest)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, *, padding: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return conv
