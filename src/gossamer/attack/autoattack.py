"""AutoAttack, the standard ensemble of four attacks."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.attack.apgd import APGD
from gossamer.attack.attempts import take_source
from gossamer.attack.ball import Source, seeded
from gossamer.attack.checks import check_data, check_some
from gossamer.attack.common import Attack, outputs, right
from gossamer.attack.fab import FAB
from gossamer.attack.found import as_found
from gossamer.attack.settings import Norm, check_count, check_eps
from gossamer.attack.square import Square


@dataclass(frozen=True)
class AutoAttackRecord:
    """What each member of the ensemble did.

    Args:
        members: the names of those that belong to the ensemble for this number of classes, in their order.
        broken_by: for each sample the index in ``members`` of the attack that broke it, -1 where the model was wrong
            without any, and ``len(members)`` where none broke it; int64 (B,).
        images: adversarial images in [0, 1], within eps, (B, C, H, W); the clean ones where none broke them.
    """

    members: tuple[str, ...]
    broken_by: Tensor
    images: Tensor

    @property
    def clean_accuracy(self) -> float:
        """The share of samples that are right without an attack."""
        return self._share_after(-1)

    @property
    def robust_accuracy(self) -> dict[str, float]:
        """The share of samples that are still right after each member, by its name."""
        return {member: self._share_after(number) for number, member in enumerate(self.members)}

    def _share_after(self, number: int) -> float:
        return float((self.broken_by > number).double().mean())


@dataclass(frozen=True, kw_only=True)
class AutoAttack:
    """AutoAttack, standard version (Croce & Hein 2020, arXiv:2003.01690): APGD-CE, APGD-T, FAB-T and Square in turn.

    Each attacks only the samples that are still right. With fewer than ten classes all wrong classes are targets.
    APGD-T needs 4 classes: with 3 untargeted APGD-DLR takes its place, with 2 nothing does; ``members`` says which.

    Args:
        eps: radius of the ball, images being in [0, 1].
        norm: ``"linf"`` or ``"l2"``.
        steps: of APGD and FAB; 100 in the paper.
        queries: of Square; 5000 in the paper.
        targets: of APGD-T and FAB-T, how many wrong classes are tried at most; 9 in the paper.

    Raises:
        SettingError: on a setting outside its range.
        UnknownNameError: on another norm.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
        >>> images = torch.tensor([[0.6, 0.4, 0.5, 0.5], [0.9, 0.1, 0.5, 0.5]]).view(2, 1, 2, 2)
        >>> record = AutoAttack(eps=0.2, queries=10).record(model, images, torch.tensor([0, 0]))
        >>> record.robust_accuracy
        {'apgd-ce': 0.5, 'fab-t': 0.5, 'square': 0.5}
    """

    eps: float = 8 / 255
    norm: Norm = "linf"
    steps: int = 100
    queries: int = 5000
    targets: int = 9

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        for name in ("steps", "queries", "targets"):
            check_count(name, getattr(self, name))

    def members(self, classes: int) -> Mapping[str, Attack]:
        """The attacks of the ensemble, in their order, for a number of classes.

        Args:
            classes: of the model, 2 or more.

        Returns:
            By name.

        Example:
            >>> for classes in (2, 3, 4):
            ...     print(*AutoAttack().members(classes))
            apgd-ce fab-t square
            apgd-ce apgd-dlr fab-t square
            apgd-ce apgd-t fab-t square
        """
        members: dict[str, Attack] = {"apgd-ce": self._apgd("ce")}
        if classes >= 4:
            members["apgd-t"] = self._apgd("dlr-targeted")
        elif classes == 3:
            members["apgd-dlr"] = self._apgd("dlr")
        members["fab-t"] = FAB(eps=self.eps, norm=self.norm, steps=self.steps, targets=self.targets)
        members["square"] = Square(eps=self.eps, norm=self.norm, queries=self.queries, rescaled=False)
        return members

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None) -> Tensor:
        """Attack a batch.

        Args:
            model: takes images in [0, 1] and normalises inside; left as found.
            images: in [0, 1], (B, C, H, W).
            labels: (B,).
            generator: of all members; by default a fresh one with seed 0. Or a list of one for each image.

        Returns:
            Adversarial images in [0, 1], within eps, (B, C, H, W); the clean ones where no member broke them.
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        if not len(images):
            return images
        return self.record(model, images, labels, generator=generator).images

    def record(
        self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None
    ) -> AutoAttackRecord:
        """Attack a batch, and say which member broke which sample.

        Args:
            model: takes images in [0, 1] and normalises inside; left as found.
            images: in [0, 1], (B, C, H, W).
            labels: (B,).
            generator: of all members; by default a fresh one with seed 0. Or a list of one for each image.

        Returns:
            The record, which has the images.
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        check_some(images)
        source, found = seeded(generator), images.clone()
        logits = _outputs(model, images, labels)
        members = self.members(logits.shape[1])
        broken_by = torch.where(right(logits, labels), len(members), -1)
        for number, attack in enumerate(members.values()):
            rows = (broken_by == len(members)).nonzero().flatten()
            if not len(rows):
                break
            tried = attack(model, images[rows], labels[rows], generator=take_source(source, rows))
            broken = ~right(_outputs(model, tried, labels[rows]), labels[rows])
            found[rows[broken]] = tried[broken]
            broken_by[rows[broken]] = number
        return AutoAttackRecord(tuple(members), broken_by, found)

    def _apgd(self, loss: str) -> APGD:
        return APGD(eps=self.eps, norm=self.norm, loss=loss, steps=self.steps, targets=self.targets)


def _outputs(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The logits in evaluation mode, the model left as found."""
    with as_found(model):
        return outputs(model, images, labels)
