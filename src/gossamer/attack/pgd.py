"""Projected gradient descent: many small steps uphill, each pulled back into the ball."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gossamer.attack.ball import Source, projection, random_start, seeded, steepest
from gossamer.attack.checks import check_data, check_outcome, check_some
from gossamer.attack.common import input_gradient, logits_of, objective
from gossamer.attack.found import BatchNorm, as_found, check_batch_norm
from gossamer.attack.losses import LOSSES
from gossamer.attack.settings import Norm, check_count, check_eps, check_loss, check_step
from gossamer.core.errors import SettingError, UnknownNameError

StepRule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True, kw_only=True)
class PGD:
    """PGD (Madry et al. 2018, arXiv:1706.06083, section 2.1): x ← Π(x + α · sign ∇L), Π onto the ball and [0, 1].

    In l2 the step goes along the gradient at length 1. Defaults are those of arXiv:2409.09196: linf, 8/255, steps of
    2/255, a random start, 10 steps in training (20 in evaluation), cross-entropy.

    Args:
        eps: radius, images in [0, 1]; of linf below 1.
        step: α, at most 2 · eps; None for eps / 4, the ratio of arXiv:2409.09196.
        steps: gradients for each start, at least 1.
        norm: ``"linf"`` or ``"l2"``.
        random_start: start at a random place in the ball (linf: uniform; l2: uniform direction and radius), not at
            the clean image.
        restarts: independent starts; with more than one, a sample keeps the one that is misclassified, and among
            those the one with the highest loss.
        step_rule: α over the steps t = 0..T - 1: ``"constant"``; ``"linear"``, α (1 - t/T); ``"cosine"``,
            α (1 + cos(π t/T)) / 2.
        loss: what is climbed, a name in ``LOSSES``.
        batch_norm: mode of the model during the attack, see ``as_found``.

    Raises:
        SettingError: on a radius, step or count outside its range.
        UnknownNameError: on another norm, step rule, loss or batch-norm mode.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 0])
        >>> adversarial = PGD(eps=0.1)(model, images, labels)
        >>> (adversarial - images).abs().amax((1, 2, 3))
        tensor([0.1000, 0.1000, 0.1000])
    """

    eps: float = 8 / 255
    step: float | None = None
    steps: int = 10
    norm: Norm = "linf"
    random_start: bool = True
    restarts: int = 1
    step_rule: StepRule = "constant"
    loss: str = "ce"
    batch_norm: BatchNorm = "eval"

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        check_count("steps", self.steps)
        check_count("restarts", self.restarts)
        check_loss(self.loss)
        check_batch_norm(self.batch_norm)
        if self.step is not None:
            check_step(self.step, self.eps, self.norm)
        if self.step_rule not in get_args(StepRule):
            raise UnknownNameError("step rule", self.step_rule, get_args(StepRule))
        if self.restarts > 1 and not self.random_start:
            raise SettingError(f"{self.restarts} restarts from the same place are one; pass random_start=True")

    def step_sizes(self) -> list[float]:
        """The size of each step.

        Example:
            >>> PGD(eps=0.5, step=0.4, steps=4, step_rule="linear").step_sizes()
            [0.4, 0.3..., 0.2, 0.1]

        Returns:
            ``steps`` numbers.
        """
        first = self.eps / 4 if self.step is None else self.step
        return [first * _left(self.step_rule, number / self.steps) for number in range(self.steps)]

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None
    ) -> Tensor:  # (B, C, H, W), (B,) -> (B, C, H, W)
        """Adversarial images.

        Args:
            model: takes images in [0, 1] (normalisation is a layer of it) and gives logits; left as found.
            images: (B, C, H, W), float32 or float64, in [0, 1].
            labels: (B,), whole numbers from 0.
            generator: for the random starts, drawn on its device; a CPU generator gives the same on every device.
                A sequence of one for each image makes an image's start independent of its batch. None: a fresh one
                with seed 0; the global one is never used.

        Returns:
            Shape, dtype and device of ``images``, in [0, 1] and within eps up to rounding.
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        if not len(images):
            return images
        source = seeded(generator)
        with as_found(model, self.batch_norm):
            losses_of = objective(model, labels, self.loss)
            if self.restarts == 1:
                return self._climb(losses_of, images, source)
            starts = (self._climb(losses_of, images, source) for _ in range(self.restarts))
            return self._strongest(model, labels, starts)

    def loss_curve(
        self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None
    ) -> Tensor:  # (steps + 1,)
        """The mean loss before each step and after the last, of the first start: it should rise.

        Args:
            model: as in a call.
            images: as in a call.
            labels: as in a call.
            generator: as in a call.

        Returns:
            float32 or float64 (steps + 1,), on the CPU.
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        check_some(images)
        means: list[Tensor] = []
        with as_found(model, self.batch_norm):
            losses_of = objective(model, labels, self.loss)
            last = self._climb(losses_of, images, seeded(generator), means.append)
            return torch.stack([*means, losses_of(last).mean()]).cpu()

    def _climb(
        self,
        losses_of: Callable[[Tensor], Tensor],
        images: Tensor,
        source: Source,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """One start and all its steps; ``watch`` is given the mean loss before each."""
        adversarial = random_start(images, self.eps, self.norm, source) if self.random_start else images
        into_ball = projection(images, self.eps, self.norm)
        for size in self.step_sizes():
            gradient, losses = input_gradient(losses_of, adversarial)
            if watch is not None:
                watch(losses.mean())
            adversarial = into_ball(torch.add(adversarial, steepest(gradient, self.norm), alpha=size))
        check_outcome(gradient)  # the sign of nan is 0: a model whose gradient is nan would seem robust
        return check_outcome(adversarial)

    def _strongest(self, model: nn.Module, labels: Tensor, starts: Iterator[Tensor]) -> Tensor:
        """Of each sample the start that is misclassified, then the one with the higher loss."""
        best = next(starts)
        best_wrong, best_loss = self._damage(model, best, labels)
        for tried in starts:
            wrong, loss = self._damage(model, tried, labels)
            better = (wrong & ~best_wrong) | ((wrong == best_wrong) & (loss > best_loss))
            best = torch.where(better.view(-1, 1, 1, 1), tried, best)
            best_wrong, best_loss = best_wrong | wrong, torch.where(better, loss, best_loss)
        return best

    def _damage(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each sample is misclassified, and its loss."""
        logits = logits_of(model, images, labels)
        return logits.argmax(1) != labels, LOSSES[self.loss](logits, labels)


def _left(rule: StepRule, done: float) -> float:
    """The share of the first step's size after the share ``done`` of the steps."""
    if rule == "constant":
        return 1.0
    return 1 - done if rule == "linear" else (1 + math.cos(math.pi * done)) / 2
