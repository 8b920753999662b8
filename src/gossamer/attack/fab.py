"""FAB-T, the search for the smallest perturbation along the decision boundary."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from gossamer.attack.attempts import Outcome, best_of, rivals, take, take_source
from gossamer.attack.ball import Source, largest_change, normal, seeded, uniform, unit
from gossamer.attack.checks import check_data, check_outcome
from gossamer.attack.common import input_gradient, outputs, right
from gossamer.attack.found import as_found
from gossamer.attack.hyperplane import nearest_on_hyperplane
from gossamer.attack.settings import Norm, check_count, check_eps, check_share
from gossamer.core.errors import SettingError


@dataclass
class _Walkers:
    """The samples that are still searched; tensors (n, ...)."""

    rows: Tensor  # where they stand in the result
    clean: Tensor
    labels: Tensor
    targets: Tensor
    image: Tensor
    best: Tensor  # the nearest fooling image, or the clean one
    distance: Tensor  # of the best; inf while there is none


@dataclass(frozen=True, kw_only=True)
class FAB:
    """Targeted fast adaptive boundary attack (Croce & Hein 2020, arXiv:1907.02044): FAB-T of AutoAttack.

    Each step linearises the difference between a wrong class and the label, and moves to where it vanishes: from the
    image it is at and, to a share, from the clean one, which keeps the perturbation small. Once across the boundary
    it steps back towards the clean image. One wrong class after the other is tried, the likeliest first.

    A sample that is wrong already comes back as it is, and so does one for which nothing within eps was found. The
    search of a sample ends with the first fooling image within eps, unless the smallest change is asked for.

    Args:
        eps: radius of the ball, images being in [0, 1].
        norm: ``"linf"`` or ``"l2"``.
        steps: of each search; 100 in AutoAttack.
        restarts: searches for each target; those after the first start at random, eps/2 away.
        targets: how many wrong classes are tried at most; 9 in AutoAttack.
        bias: α_max, the largest share of the step from the clean image; 0.1 in the paper.
        overshoot: η, how far the step goes, 1 being onto the linearised boundary; 1.05 in the paper.
        backward: β, the share of a perturbation that is kept after it fooled the model; 0.9 in the paper.
        smallest: go on after the first success, to the smallest change: with a large eps (of linf just below 1), an
            upper bound of the distance of each image from the decision boundary.

    Raises:
        SettingError: on a setting outside its range.
        UnknownNameError: on another norm.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
        >>> image = torch.tensor([0.6, 0.4, 0.5, 0.5]).view(1, 1, 2, 2)
        >>> FAB(eps=0.9, smallest=True)(model, image, torch.tensor([0])).flatten().round(decimals=2)
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """

    eps: float = 8 / 255
    norm: Norm = "linf"
    steps: int = 100
    restarts: int = 1
    targets: int = 9
    bias: float = 0.1
    overshoot: float = 1.05
    backward: float = 0.9
    smallest: bool = False

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        for name in ("steps", "restarts", "targets"):
            check_count(name, getattr(self, name))
        for name in ("bias", "backward"):
            check_share(name, getattr(self, name))
        if not self.overshoot >= 1:
            raise SettingError(f"expected overshoot ≥ 1, got {self.overshoot}; below 1 no boundary is crossed")

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None) -> Tensor:
        """Attack a batch.

        Args:
            model: takes images in [0, 1] and normalises inside; left as found.
            images: in [0, 1], (B, C, H, W).
            labels: (B,).
            generator: of the random restarts; by default a fresh one with seed 0. Or a list of one for each image.

        Returns:
            Adversarial images in [0, 1], within eps, (B, C, H, W); the clean image where none was found.
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        if not len(images):
            return images
        source = seeded(generator)
        with as_found(model):
            logits = outputs(model, images, labels)
            attempts = [
                partial(self._search, model, images, labels, source if restart else None, targets)
                for restart in range(self.restarts)
                for targets in rivals(logits, labels, self.targets)
            ]
            return best_of(attempts, images, right(logits, labels).nonzero().flatten())

    def _search(
        self, model: nn.Module, images: Tensor, labels: Tensor, source: Source | None, targets: Tensor, rows: Tensor
    ) -> Outcome:
        """The search of one target class a sample, from the clean image or, given a source, from a random one."""
        clean = images[rows]
        outcome = Outcome(clean.clone(), torch.full_like(clean[:, 0, 0, 0], -torch.inf), torch.zeros_like(rows).bool())
        walkers = _Walkers(
            rows=torch.arange(len(rows), device=rows.device),
            clean=clean,
            labels=labels[rows],
            targets=targets[rows],
            image=clean if source is None else self._away(clean, take_source(source, rows)),
            best=clean,
            distance=torch.full_like(clean[:, 0, 0, 0], torch.inf),
        )
        for _ in range(self.steps):
            if not len(walkers.rows):
                break
            self._step(model, walkers)
            walkers = self._leave(walkers, outcome)
        _note(walkers, walkers.distance <= self.eps, outcome)
        return outcome

    def _away(self, clean: Tensor, source: Source) -> Tensor:
        """A random image eps/2 away, as far as the box allows."""
        if self.norm == "l2":
            direction = unit(normal(clean, source))
        else:
            direction = 2 * uniform(clean, source) - 1
            direction /= direction.abs().amax(dim=(1, 2, 3), keepdim=True)
        return (clean + direction * self.eps / 2).clamp_(0, 1)

    def _step(self, model: nn.Module, walkers: _Walkers) -> None:
        """To the linearised boundary, and back towards the clean image where it was crossed."""
        image = self._towards_boundary(model, walkers)
        still = right(outputs(model, image, walkers.labels), walkers.labels)
        distance = largest_change(image, walkers.clean, self.norm)
        nearer = ~still & (distance < walkers.distance)
        walkers.best = torch.where(nearer.view(-1, 1, 1, 1), image, walkers.best)
        walkers.distance = torch.where(nearer, distance, walkers.distance)
        back = walkers.clean + self.backward * (image - walkers.clean)
        walkers.image = torch.where(still.view(-1, 1, 1, 1), image, back)

    def _towards_boundary(self, model: nn.Module, walkers: _Walkers) -> Tensor:
        """The biased step with overshoot, between the projections of this image and of the clean one."""

        def margins(leaf: Tensor) -> Tensor:
            logits = outputs(model, leaf, walkers.labels)
            pair = logits.gather(1, torch.stack([walkers.targets, walkers.labels], dim=1))
            return pair[:, 0] - pair[:, 1]

        gradient, heights = input_gradient(margins, walkers.image)
        normals, points, clean = (
            images.flatten(1) for images in (check_outcome(gradient), walkers.image, walkers.clean)
        )
        clean_heights = heights + (normals * (clean - points)).sum(1)
        to_plane = nearest_on_hyperplane(points, normals, heights, self.norm) - points
        from_clean = nearest_on_hyperplane(clean, normals, clean_heights, self.norm) - clean
        share = self._share(to_plane, from_clean)
        step = (1 - share) * (points + self.overshoot * to_plane) + share * (clean + self.overshoot * from_clean)
        return step.clamp_(0, 1).view_as(walkers.image)

    def _share(self, to_plane: Tensor, from_clean: Tensor) -> Tensor:
        """α: the nearer the present image is to the boundary, the less it is drawn to the clean one; (n, 1)."""
        here, there = self._sizes(to_plane), self._sizes(from_clean)
        return (here / (here + there).clamp_min(torch.finfo(here.dtype).tiny)).clamp_max(self.bias)

    def _sizes(self, ways: Tensor) -> Tensor:
        """The norm of each row, (n, 1)."""
        largest = ways.abs().amax(1, keepdim=True)
        return largest if self.norm == "linf" else ways.square().sum(1, keepdim=True).sqrt()

    def _leave(self, walkers: _Walkers, outcome: Outcome) -> _Walkers:
        """Samples that are fooled within eps leave, unless the smallest change is asked for."""
        found = walkers.distance <= self.eps
        if self.smallest or not bool(found.any()):
            return walkers
        _note(walkers, found, outcome)
        outcome.done[walkers.rows[found]] = True
        return take(walkers, ~found)


def _note(walkers: _Walkers, found: Tensor, outcome: Outcome) -> None:
    """Write what was found into the outcome; the smaller the change, the better."""
    outcome.images[walkers.rows[found]] = walkers.best[found]
    outcome.scores[walkers.rows[found]] = -walkers.distance[found]
