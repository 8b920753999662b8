"""The Square attack, a random search that sees only the model's outputs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossamer.attack.attempts import take, take_source
from gossamer.attack.ball import Source, seeded, uniform
from gossamer.attack.checks import check_data
from gossamer.attack.common import outputs, right
from gossamer.attack.found import as_found
from gossamer.attack.settings import Norm, check_count, check_eps, check_share
from gossamer.attack.squares import Draws, repaint, reshape_length, share_of_pixels, side_of, stripes, tiles

BLOCK = 100  # rounds whose random numbers are drawn at once


@dataclass
class _Searchers:
    """The samples that are not yet fooled; tensors (n, ...)."""

    rows: Tensor  # where they stand in the batch
    clean: Tensor
    labels: Tensor
    best: Tensor
    margin: Tensor  # of the best
    numbers: Tensor  # random, of the present block of rounds, (n, BLOCK, numbers)


@dataclass(frozen=True, kw_only=True)
class Square:
    """Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random squares, kept where they lower the margin.

    A black-box attack: it needs no gradient and is not misled by one that vanishes. The margin is the label's logit
    minus the largest of the others. A sample that is wrong already comes back as it is, and the search of a sample
    ends as soon as the model is fooled; where it never is, the image with the smallest margin is returned.

    Args:
        eps: radius of the ball, images being in [0, 1].
        norm: ``"linf"`` or ``"l2"``.
        queries: forward passes for each image at most, beside that of the clean one; 5000 in AutoAttack.
        first_share: p, the share of the pixels that the first squares cover; 0.8 in AutoAttack.
        rescaled: stretch the schedule of p, published for 10 000 queries, to ``queries``, as the paper;
            AutoAttack does not.

    Raises:
        SettingError: on a setting outside its range.
        UnknownNameError: on another norm.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))
        >>> image = torch.tensor([0.6, 0.4, 0.5, 0.5]).view(1, 1, 2, 2)
        >>> model(Square(eps=0.2, queries=50)(model, image, torch.tensor([0]))).argmax(1)
        tensor([1])
    """

    eps: float = 8 / 255
    norm: Norm = "linf"
    queries: int = 5000
    first_share: float = 0.8
    rescaled: bool = True

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        check_count("queries", self.queries)
        check_share("first_share", self.first_share)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor, *, generator: Source | None = None) -> Tensor:
        """Attack a batch.

        Args:
            model: takes images in [0, 1] and normalises inside; left as found.
            images: in [0, 1], (B, C, H, W).
            labels: (B,).
            generator: of the squares; by default a fresh one with seed 0. Or a list of one for each image.

        Returns:
            Adversarial images in [0, 1], within eps, (B, C, H, W).
        """
        images, labels = check_data(images, labels, self.eps, self.norm)
        if not len(images):
            return images
        source, found = seeded(generator), images.clone()
        with as_found(model):
            pending = right(outputs(model, images, labels), labels).nonzero().flatten()
            if len(pending):
                self._search(model, images, labels, source, pending, found)
        return found

    def _search(
        self, model: nn.Module, images: Tensor, labels: Tensor, source: Source, pending: Tensor, found: Tensor
    ) -> None:
        """The search of the samples ``pending``, whose best images are written into ``found``."""
        searchers = self._begin(images[pending], labels[pending], pending, take_source(source, pending))
        image = searchers.best
        for query in range(self.queries):
            if query:
                self._draw(searchers, query - 1, source)
                image = self._changed(searchers, query)
            still = _keep_better(model, searchers, image)
            if not bool(still.all()):
                found[searchers.rows[~still]] = searchers.best[~still]
                searchers = take(searchers, still)
            if not len(searchers.rows):
                break
        found[searchers.rows] = searchers.best

    def _begin(self, clean: Tensor, labels: Tensor, rows: Tensor, source: Source) -> _Searchers:
        first = stripes if self.norm == "linf" else tiles
        return _Searchers(
            rows=rows,
            clean=clean,
            labels=labels,
            best=first(clean, self.eps, source),
            margin=torch.full_like(clean[:, 0, 0, 0], torch.inf),
            numbers=clean.new_empty(len(rows), BLOCK, Draws.NUMBERS + clean.shape[1]),
        )

    def _draw(self, searchers: _Searchers, round_: int, source: Source) -> None:
        """Draw the random numbers of a block of rounds when the first of it begins."""
        if round_ % BLOCK == 0:
            searchers.numbers = uniform(searchers.numbers, take_source(source, searchers.rows))

    def _changed(self, searchers: _Searchers, query: int) -> Tensor:
        """The images of one round, a square of the best ones changed."""
        share = share_of_pixels(query, self.queries, self.first_share, self.rescaled)
        side = side_of(share, searchers.clean.shape[2], searchers.clean.shape[3], self.norm)
        draws = Draws(searchers.numbers[:, (query - 1) % BLOCK])
        change = repaint if self.norm == "linf" else reshape_length
        return change(searchers.best, searchers.clean, self.eps, side, draws)


def _keep_better(model: nn.Module, searchers: _Searchers, image: Tensor) -> Tensor:
    """Ask the model once, and keep what lowers the margin; whether the label of the best still wins."""
    logits = outputs(model, image, searchers.labels)
    margin = margins(logits, searchers.labels).to(searchers.margin.dtype)
    still = right(logits, searchers.labels)
    better = (margin < searchers.margin) | ~still
    searchers.best = torch.where(better.view(-1, 1, 1, 1), image, searchers.best)
    searchers.margin = torch.where(better, margin, searchers.margin)
    return still


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """The label's logit minus the largest of the others: below 0 where the model is fooled.

    Args:
        logits: (B, classes).
        labels: (B,).

    Returns:
        (B,).

    Example:
        >>> margins(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
        tensor([1.])
    """
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf).amax(1)
    return logits.gather(1, labels.unsqueeze(1)).squeeze(1) - others
