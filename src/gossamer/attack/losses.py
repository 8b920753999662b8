"""What an attack climbs: one loss a sample, of logits and labels."""

from collections.abc import Callable

from torch import Tensor, nn

from gossamer.attack.dlr import dlr

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:  # (B, C), (B,) -> (B,)
    """Cross-entropy of each sample, -log softmax(logits)[label].

    Its gradient vanishes where the softmax saturates (a gap of about 100 between the two largest logits in float32).

    Example:
        >>> import torch
        >>> cross_entropy(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1])).round(decimals=3)
        tensor([0.6930, 9.0000])

    Returns:
        (B,).
    """
    return nn.functional.cross_entropy(logits, labels, reduction="none")


LOSSES: dict[str, Loss] = {"ce": cross_entropy, "dlr": dlr}
