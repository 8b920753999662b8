"""VGG16 and VGG19 (Simonyan & Zisserman 2015, arXiv:1409.1556) for small images, as Xiao et al. 2024 use them.

Xiao et al., "Are Sparse Neural Networks Better Hard Sample Learners?", arXiv:2409.09196.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from gossamer.bench.models.sizes import at_least, scaled

WIDTHS = (64, 128, 256, 512, 512)


class VGG16(nn.Module):
    """VGG-D as in SNIP (Lee et al. 2019, arXiv:1810.02340): 13 convolutions and three linear layers.

    Batch norm follows each convolution, all of which have biases; the classifier is Linear-ReLU-BN twice, then Linear.

    Args:
        num_classes: outputs.
        image_size: side of the square images, at least 32. What five poolings leave is averaged over its positions;
            of 32 to 63 pixels they leave one.
        channels: channels of the images.
        width: factor on all hidden widths.

    Raises:
        SettingError: images too small.

    Example:
        >>> model = VGG16(num_classes=10, image_size=32, channels=3, width=0.1)
        >>> [name for name, _ in model.classifier.named_children()]
        ['fc1', 'relu1', 'bn1', 'fc2', 'relu2', 'bn2', 'fc3']
    """

    def __init__(self, *, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> None:
        super().__init__()
        at_least("vgg16", 32, image_size)
        widths = scaled(WIDTHS, width)
        (hidden,) = scaled((512,), width)
        self.normalize: nn.Module = nn.Identity()
        self.features = _features(channels, widths, depths=(2, 2, 3, 3, 3), pools=5, bias=True)
        self.classifier = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(widths[-1], hidden),
                relu1=nn.ReLU(),
                bn1=nn.BatchNorm1d(hidden),
                fc2=nn.Linear(hidden, hidden),
                relu2=nn.ReLU(),
                bn2=nn.BatchNorm1d(hidden),
                fc3=nn.Linear(hidden, num_classes),
            )
        )

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = self.features(self.normalize(images))
        return self.classifier(x.mean((2, 3)))  # type: ignore[no-any-return]  # modules return Any


class VGG19(nn.Module):
    """16 convolutions without bias, batch norm after each, and a single linear layer.

    There are four max-poolings; what they leave is averaged, on 32x32 images 2x2 positions. Convolutions start from
    He's normal distribution on the fan-out, the linear layer from N(0, 0.01²) with zero bias.

    Args:
        num_classes: outputs.
        image_size: side of the square images, at least 16.
        channels: channels of the images.
        width: factor on all hidden widths.

    Raises:
        SettingError: images too small.

    Example:
        >>> model = VGG19(num_classes=10, image_size=32, channels=3, width=0.1)
        >>> sum(isinstance(m, nn.Conv2d) for m in model.modules())
        16
    """

    def __init__(self, *, num_classes: int, image_size: int, channels: int, width: float = 1.0) -> None:
        super().__init__()
        at_least("vgg19", 16, image_size)
        widths = scaled(WIDTHS, width)
        self.normalize: nn.Module = nn.Identity()
        self.features = _features(channels, widths, depths=(2, 2, 4, 4, 4), pools=4, bias=False)
        self.fc = nn.Linear(widths[-1], num_classes)
        self.apply(_initialize_vgg19_)

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = self.features(self.normalize(images))
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]  # modules return Any


def _features(channels: int, widths: Sequence[int], *, depths: Sequence[int], pools: int, bias: bool) -> nn.Sequential:
    """Convolution i of block b is called convb_i; block b ends with a max-pooling if b ≤ pools."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = channels
    for block, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        for i in range(1, depth + 1):
            layers[f"conv{block}_{i}"] = nn.Conv2d(inputs, width, 3, padding=1, bias=bias)
            layers[f"bn{block}_{i}"] = nn.BatchNorm2d(width)
            layers[f"relu{block}_{i}"] = nn.ReLU()
            inputs = width
        if block <= pools:
            layers[f"pool{block}"] = nn.MaxPool2d(2)
    return nn.Sequential(layers)


def _initialize_vgg19_(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
