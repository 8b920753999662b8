"""LeNet-300-100, the fully connected network of Evci et al. 2022 (arXiv:2010.03533)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gossamer.bench.models.lenet import glorot_
from gossamer.bench.models.sizes import hidden_widths


class MLP300(nn.Module):
    """Two hidden layers of 300 and 100 units on the flattened image; ReLU, Glorot-uniform weights, zero biases.

    The small dense twin of Evci et al. 2022 is ``hidden=(8, 8)``.

    Args:
        num_classes: outputs.
        image_size: side of the square images.
        channels: channels of the images.
        width: factor on the hidden widths.
        hidden: units of the two hidden layers; (300, 100) if None.

    Raises:
        SettingError: hidden of another length than 2.

    Example:
        >>> [tuple(p.shape) for p in MLP300(num_classes=10, image_size=28, channels=1).parameters()]
        [(300, 784), (300,), (100, 300), (100,), (10, 100), (10,)]
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
        h1, h2 = hidden_widths("mlp300", (300, 100), hidden, width)
        self.normalize: nn.Module = nn.Identity()
        self.fc1 = nn.Linear(channels * image_size * image_size, h1)
        self.fc2 = nn.Linear(h1, h2)
        self.fc3 = nn.Linear(h2, num_classes)
        self.apply(glorot_)

    def forward(self, images: Tensor) -> Tensor:  # (B, C, H, W) in [0, 1] -> (B, num_classes) logits
        """Classify a batch of images."""
        x = self.normalize(images).flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)  # type: ignore[no-any-return]  # modules return Any
