"""The fast gradient sign method: one step as long as the ball's radius."""

from dataclasses import dataclass

from torch import Tensor, nn

from gossamer.attack.ball import Source
from gossamer.attack.found import BatchNorm
from gossamer.attack.pgd import PGD
from gossamer.attack.settings import Norm


@dataclass(frozen=True, kw_only=True)
class FGSM:
    """FGSM (Goodfellow et al. 2015, arXiv:1412.6572, section 4): x + eps · sign ∇L, clamped to [0, 1].

    Args:
        eps: radius, images in [0, 1]; of linf below 1. Default of arXiv:2409.09196.
        norm: ``"linf"``, or ``"l2"`` for a step of length eps along the gradient.
        random_start: start at a random place in the ball; the step is then pulled back into it.
        loss: what is climbed, a name in ``LOSSES``.
        batch_norm: mode of the model during the attack, see ``as_found``.

    Raises:
        SettingError: on a radius outside its range.
        UnknownNameError: on another norm, loss or batch-norm mode.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
        >>> model[1].weight.data = torch.tensor([[1.0], [-1.0]])
        >>> FGSM(eps=0.2)(model, torch.tensor([[[[0.5]]]]), torch.tensor([0])).item()
        0.30000...
    """

    eps: float = 8 / 255
    norm: Norm = "linf"
    random_start: bool = False
    loss: str = "ce"
    batch_norm: BatchNorm = "eval"

    def __post_init__(self) -> None:
        self._one_step()

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None
    ) -> Tensor:  # (B, C, H, W), (B,) -> (B, C, H, W)
        """Adversarial images; arguments as of ``PGD``.

        Returns:
            Shape, dtype and device of ``images``, in [0, 1] and within eps up to rounding.
        """
        return self._one_step()(model, images, labels, generator=generator)

    def _one_step(self) -> PGD:
        """FGSM as the PGD that it is."""
        return PGD(
            eps=self.eps,
            step=self.eps,
            steps=1,
            norm=self.norm,
            random_start=self.random_start,
            loss=self.loss,
            batch_norm=self.batch_norm,
        )
