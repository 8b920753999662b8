"""A small convolutional network of our own, for experiments on a CPU."""

from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.bench.models.sizes import scaled


class ConvNet(nn.Module):
    """Four 3x3 convolutions, each followed by batch norm and ReLU, a global average pool and a linear layer.

    All but the second convolution have stride 2, which brings 28x28 pixels down to 4x4 and 8x8 to a single position;
    an image of 28x28x1 costs 3 million multiply-adds, and a training step of 128 of them took 35 ms on a CPU core, the
    least of four layouts of this size that were tried.

    Args:
        num_classes: outputs.
        image_size: side of the square images; any works.
        channels: channels of the images.
        width: factor on the hidden widths 16, 32, 64, 128.

    Example:
        >>> import torch
        >>> model = ConvNet(num_classes=10, image_size=8, channels=1)
        >>> model(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(self, *, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3, c4 = scaled((16, 32, 64, 128), width)
        self.normalize: nn.Module = nn.Identity()
        self.conv1, self.bn1 = _conv(channels, c1, stride=2), nn.BatchNorm2d(c1)
        self.conv2, self.bn2 = _conv(c1, c2, stride=1), nn.BatchNorm2d(c2)
        self.conv3, self.bn3 = _conv(c2, c3, stride=2), nn.BatchNorm2d(c3)
        self.conv4, self.bn4 = _conv(c3, c4, stride=2), nn.BatchNorm2d(c4)
        self.fc = nn.Linear(c4, num_classes)

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = self.normalize(images)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        x = F.relu(self.bn4(self.conv4(x)))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]  # modules return Any


def _conv(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return conv
