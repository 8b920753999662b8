"""The climb of APGD: gradient steps with momentum, and a step size that halves itself where the climb stalls."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.attack.attempts import Outcome, take
from gossamer.attack.ball import project, steepest
from gossamer.attack.checks import check_outcome
from gossamer.attack.common import input_gradient, outputs, right

TargetedLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits (B, C), labels (B,), targets (B,) -> (B,)


def checkpoints(steps: int) -> list[int]:
    """After which steps APGD looks back: w_j = ⌈p_j · steps⌉ (arXiv:2003.01690, section 3), and 0 before them.

    p_0 = 0, p_1 = 0.22, p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06), in whole hundredths: no rounding.

    Args:
        steps: of the whole climb.

    Returns:
        Rising numbers from 0 to at most ``steps``, each once.

    Example:
        >>> checkpoints(100)
        [0, 22, 41, 57, 70, 80, 87, 93, 99]
    """
    hundredths = [0, 22]
    while hundredths[-1] < 100:
        hundredths.append(hundredths[-1] + max(hundredths[-1] - hundredths[-2] - 3, 6))
    return sorted({-(-share * steps // 100) for share in hundredths if share <= 100})


@dataclass
class _Climbers:
    """The samples that are not yet fooled; tensors (n, ...)."""

    rows: Tensor  # where they stand in the result
    clean: Tensor
    labels: Tensor
    targets: Tensor
    image: Tensor
    previous: Tensor
    gradient: Tensor
    loss: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    step: Tensor  # η, (n, 1, 1, 1)
    rises: Tensor  # steps since the last checkpoint that raised the loss
    halved: Tensor  # whether η was halved at the last checkpoint
    best_loss_before: Tensor  # best_loss at the last checkpoint


@dataclass(frozen=True, kw_only=True)
class Climb:
    """The climb of one batch from one start, Algorithm 1 of arXiv:2003.01690.

    Samples leave it as soon as they are fooled. At a checkpoint w, after the step to x^(w), the conditions look at the
    losses of x^(0) to x^(w), as they are written; it is x^(w) then that the best point replaces, as in the authors'
    code, where the paper's listing has computed x^(w+1) in vain.

    Args:
        model: any network, in the mode wanted.
        loss: what is climbed.
        eps: radius.
        norm: ``"linf"`` or ``"l2"``.
        steps: of the climb.
        momentum: α, the share of the new step; 1 for none.
        rho: η is halved where fewer than this share of the steps since the last checkpoint raised the loss.
    """

    model: nn.Module
    loss: TargetedLoss
    eps: float
    norm: str
    steps: int
    momentum: float
    rho: float

    def __call__(self, clean: Tensor, start: Tensor, labels: Tensor, targets: Tensor) -> Outcome:
        """Climb from a start.

        Args:
            clean: the middle of the ball, in [0, 1], (n, C, H, W).
            start: inside the ball, (n, C, H, W).
            labels: (n,).
            targets: of the loss, (n,).

        Returns:
            The first fooling image of each sample, which is done, or else the image of the highest loss.
        """
        outcome = Outcome(start.clone(), torch.full_like(start[:, 0, 0, 0], torch.inf), torch.ones_like(labels).bool())
        climbers, still = self._begin(clean, start, labels, targets)
        climbers = _leave(climbers, still, outcome)
        last = 0  # checkpoint
        for number in range(1, self.steps + 1):
            if not len(climbers.rows):
                break
            climbers = _leave(climbers, self._step(climbers, first=number == 1), outcome)
            if number in checkpoints(self.steps):
                self._look_back(climbers, number - last)
                last = number
        outcome.images[climbers.rows] = climbers.best
        outcome.scores[climbers.rows] = climbers.best_loss
        outcome.done[climbers.rows] = False
        return outcome

    def _begin(self, clean: Tensor, start: Tensor, labels: Tensor, targets: Tensor) -> tuple[_Climbers, Tensor]:
        gradient, loss, still = self._evaluate(start, labels, targets)
        climbers = _Climbers(
            rows=torch.arange(len(labels), device=labels.device),
            clean=clean,
            labels=labels,
            targets=targets,
            image=start,
            previous=start,
            gradient=gradient,
            loss=loss,
            best=start,
            best_gradient=gradient,
            best_loss=loss,
            step=torch.full_like(start[:, :1, :1, :1], 2 * self.eps),
            rises=torch.zeros_like(labels),
            halved=torch.zeros_like(labels, dtype=torch.bool),
            best_loss_before=loss,
        )
        return climbers, still

    def _step(self, climbers: _Climbers, first: bool) -> Tensor:
        """One step of every climber; whether its label still wins."""
        ahead = climbers.image + climbers.step * steepest(climbers.gradient, self.norm)
        image = project(ahead, climbers.clean, self.eps, self.norm)
        if not first:
            image = climbers.image + self.momentum * (image - climbers.image)
            image += (1 - self.momentum) * (climbers.image - climbers.previous)
            image = project(image, climbers.clean, self.eps, self.norm)
        gradient, loss, still = self._evaluate(image, climbers.labels, climbers.targets)
        climbers.rises = climbers.rises + (loss > climbers.loss)
        climbers.previous, climbers.image = climbers.image, image
        climbers.gradient, climbers.loss = gradient, loss
        better = loss > climbers.best_loss
        climbers.best = _where(better, image, climbers.best)
        climbers.best_gradient = _where(better, gradient, climbers.best_gradient)
        climbers.best_loss = torch.where(better, loss, climbers.best_loss)
        return still

    def _look_back(self, climbers: _Climbers, window: int) -> None:
        """At a checkpoint: halve η and go back to the best point where one of the paper's conditions holds."""
        few_rises = climbers.rises < self.rho * window
        stuck = ~climbers.halved & (climbers.best_loss == climbers.best_loss_before)
        halve = few_rises | stuck
        climbers.step = _where(halve, climbers.step / 2, climbers.step)
        climbers.image = _where(halve, climbers.best, climbers.image)
        climbers.gradient = _where(halve, climbers.best_gradient, climbers.gradient)
        climbers.loss = torch.where(halve, climbers.best_loss, climbers.loss)
        climbers.rises = torch.zeros_like(climbers.rises)
        climbers.halved = halve
        climbers.best_loss_before = climbers.best_loss

    def _evaluate(self, images: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients, losses, and whether the label still wins: one forward and one backward pass."""
        still = torch.empty(0)

        def losses(leaf: Tensor) -> Tensor:
            nonlocal still
            logits = outputs(self.model, leaf, labels)
            still = right(logits, labels)
            return self.loss(logits, labels, targets)

        gradient, values = input_gradient(losses, images)
        return gradient, values, still


def _where(condition: Tensor, images: Tensor, others: Tensor) -> Tensor:
    """Images (n, C, H, W) by a condition of each sample, (n,)."""
    return torch.where(condition.view(-1, 1, 1, 1), images, others)


def _leave(climbers: _Climbers, still: Tensor, outcome: Outcome) -> _Climbers:
    """Fooled samples leave, and their images are noted in the outcome; the rest is returned."""
    if not bool(still.all()):
        outcome.images[climbers.rows[~still]] = climbers.image[~still]
        climbers = take(climbers, still)
    check_outcome(climbers.gradient)
    return climbers
