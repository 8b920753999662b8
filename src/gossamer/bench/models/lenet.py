"""LeNet5 as Evci et al. 2022 train it (arXiv:2010.03533)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.bench.models.sizes import at_least, hidden_widths


class LeNet5(nn.Module):
    """Two 5x5 convolutions without padding, each max-pooled by 2, and three linear layers; ReLU, no normalisation.

    Weights are Glorot uniform and biases zero, as in Evci et al. 2022. On 28x28x1 images with 10 classes it has
    44,190 weights and 236 biases; their small dense twin, ``hidden=(3, 3, 27, 20)``, has 2,399 parameters.

    Args:
        num_classes: outputs.
        image_size: side of the square images, at least 16.
        channels: channels of the images.
        width: factor on the hidden widths.
        hidden: channels of the two convolutions and units of the two hidden linear layers; (6, 16, 120, 84) if None.

    Raises:
        SettingError: images too small, or hidden of another length than 4.

    Example:
        >>> model = LeNet5(num_classes=10, image_size=28, channels=1)
        >>> sum(p.numel() for p in model.parameters())
        44426
    """

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int,
        channels: int,
        width: float = 1.0,
        hidden: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        at_least("lenet5", 16, image_size)
        c1, c2, h1, h2 = hidden_widths("lenet5", (6, 16, 120, 84), hidden, width)
        side = ((image_size - 4) // 2 - 4) // 2
        self.normalize: nn.Module = nn.Identity()
        self.conv1 = nn.Conv2d(channels, c1, 5)
        self.conv2 = nn.Conv2d(c1, c2, 5)
        self.fc1 = nn.Linear(c2 * side * side, h1)
        self.fc2 = nn.Linear(h1, h2)
        self.fc3 = nn.Linear(h2, num_classes)
        self.apply(glorot_)

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = self.normalize(images)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)  # type: ignore[no-any-return]  # modules return Any


def glorot_(module: nn.Module) -> None:
    """Draw the weights of a layer from Glorot's uniform distribution and zero its bias; ±√(6 / (fan-in + fan-out)).

    Args:
        module: left alone unless it is a convolution or linear layer.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
