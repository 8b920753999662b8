"""APGD, projected gradient ascent that chooses its own step size."""

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from gossamer.attack.attempts import Outcome, best_of, rivals, take_source
from gossamer.attack.ball import Source, random_start, seeded
from gossamer.attack.checks import check_data
from gossamer.attack.climb import Climb, TargetedLoss
from gossamer.attack.common import outputs, right
from gossamer.attack.dlr import dlr_targeted
from gossamer.attack.found import as_found
from gossamer.attack.losses import LOSSES
from gossamer.attack.settings import Norm, check_count, check_eps, check_share
from gossamer.core.errors import SettingError, UnknownNameError

TARGETED = "dlr-targeted"


@dataclass(frozen=True, kw_only=True)
class APGD:
    """Auto-PGD (Croce & Hein 2020, arXiv:2003.01690, Algorithm 1): gradient steps that need no step size.

    The step starts at 2·eps and is halved at checkpoints where the climb stalls; it then goes on from the best point.
    A sample that is wrong already comes back as it is, and a climb ends as soon as it fools the model. Where nothing
    fools it, the image of the highest loss is returned.

    Args:
        eps: radius of the ball, images being in [0, 1].
        norm: ``"linf"`` or ``"l2"``.
        loss: ``"ce"``, ``"dlr"`` (3 classes or more), or ``"dlr-targeted"`` (4 classes or more), which tries one
            wrong class after the other, the likeliest first: APGD-T.
        steps: of each climb; 100 in the paper.
        restarts: climbs from new random starts (for each target); 1 in AutoAttack's standard version.
        targets: of ``"dlr-targeted"``, how many wrong classes are tried at most; 9 in AutoAttack.
        random_start: start anywhere in the ball; else the first climb starts at the clean image.
        momentum: α of the paper, 0.75.
        rho: ρ of the paper, 0.75.

    Raises:
        SettingError: on a setting outside its range.
        UnknownNameError: on another norm or loss.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
        >>> image = torch.tensor([0.6, 0.4, 0.5, 0.5]).view(1, 1, 2, 2)
        >>> model(APGD(eps=0.2)(model, image, torch.tensor([0]))).argmax(1)
        tensor([1])
    """

    eps: float = 8 / 255
    norm: Norm = "linf"
    loss: str = "ce"
    steps: int = 100
    restarts: int = 1
    targets: int = 9
    random_start: bool = True
    momentum: float = 0.75
    rho: float = 0.75

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        if self.loss != TARGETED and self.loss not in LOSSES:
            raise UnknownNameError("loss", self.loss, [*LOSSES, TARGETED])
        for name in ("steps", "restarts", "targets"):
            check_count(name, getattr(self, name))
        for name in ("momentum", "rho"):
            check_share(name, getattr(self, name))
        if not self.random_start and self.restarts > 1:
            raise SettingError(f"{self.restarts} restarts from the same place are one; pass random_start=True")

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None) -> Tensor:
        """Attack a batch.

        Args:
            model: takes images in [0, 1] and normalises inside; left as found.
            images: in [0, 1], (B, C, H, W).
            labels: (B,).
            generator: of the random starts; by default a fresh one with seed 0. Or a list of one for each image.

        Returns:
            Adversarial images in [0, 1], within eps, (B, C, H, W).
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        if not len(images):
            return images
        with as_found(model):
            logits = outputs(model, images, labels)
            climb = partial(self._climb, model, images, labels, seeded(generator))
            attempts = [partial(climb, targets) for targets in self._targets(logits, labels)] * self.restarts
            return best_of(attempts, images, right(logits, labels).nonzero().flatten())

    def _targets(self, logits: Tensor, labels: Tensor) -> list[Tensor]:
        """One climb each; an untargeted loss does not look at them."""
        return list(rivals(logits, labels, self.targets)) if self.loss == TARGETED else [labels]

    def _climb(
        self, model: nn.Module, images: Tensor, labels: Tensor, source: Source, targets: Tensor, rows: Tensor
    ) -> Outcome:
        clean = images[rows]
        start = random_start(clean, self.eps, self.norm, take_source(source, rows)) if self.random_start else clean
        climb = Climb(
            model=model,
            loss=_loss(self.loss),
            eps=self.eps,
            norm=self.norm,
            steps=self.steps,
            momentum=self.momentum,
            rho=self.rho,
        )
        return climb(clean, start, labels[rows], targets[rows])


def _loss(name: str) -> TargetedLoss:
    """A loss by its name; an untargeted one does not look at the targets."""
    if name == TARGETED:
        return dlr_targeted
    return lambda logits, labels, targets: LOSSES[name](logits, labels)
