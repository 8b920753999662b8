"""The moves of the Square attack: random squares, where to place them and what to put into them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gossamer.attack.ball import Source, lengths, project, uniform, unit
from gossamer.attack.pyramid import hill_and_valley

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of p, after so many of 10 000 queries: the paper
TILES = 5  # the first l2 perturbation is a grid of 5 x 5 squares: the paper


def share_of_pixels(query: int, queries: int, first: float, rescaled: bool = True) -> float:
    """The share p of an image that a square covers (Andriushchenko et al. 2020, arXiv:1912.00049, section 5).

    Args:
        query: from 0.
        queries: of the whole attack.
        first: p at the start.
        rescaled: stretch the schedule of 10 000 queries to ``queries``, as the paper; AutoAttack does not.

    Returns:
        p, halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10 000 queries.

    Example:
        >>> [share_of_pixels(query, 5000, 0.8) for query in (0, 5, 6, 4001)]
        [0.8, 0.8, 0.4, 0.0015625]
    """
    place = query * 10_000 // queries if rescaled else query
    return first * 0.5 ** sum(place > halving for halving in HALVINGS)


def side_of(share: float, height: int, width: int, norm: str) -> int:
    """The side of a square that covers a share of an image, at most the image's.

    Args:
        share: p, in (0, 1].
        height: of the image.
        width: of the image.
        norm: ``"l2"`` wants it odd and at least 3, so that the square has a middle.

    Returns:
        The whole number nearest to √(p · height · width), from 1.

    Example:
        >>> side_of(0.8, 28, 28, "linf"), side_of(0.1, 28, 28, "linf"), side_of(0.1, 28, 28, "l2")
        (25, 9, 9)
    """
    side = max(round(math.sqrt(share * height * width)), 1)
    if norm == "l2":
        side = max(side, 3) // 2 * 2 + 1
    return min(side, height, width)


@dataclass(frozen=True)
class Draws:
    """The random numbers of one round, uniform in [0, 1), (n, NUMBERS + channels)."""

    numbers: Tensor

    NUMBERS = 5  # two places of two coordinates, and whether the square is turned

    def place(self, which: int, side: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Top and left edges of squares inside the image, (n, 1, 1, 1) each."""
        top, left = self.numbers[:, 2 * which], self.numbers[:, 2 * which + 1]
        places = (top * (height - side + 1)).long(), (left * (width - side + 1)).long()
        return places[0].view(-1, 1, 1, 1), places[1].view(-1, 1, 1, 1)

    def turned(self) -> Tensor:
        """Whether a square is turned, (n, 1, 1, 1)."""
        return (self.numbers[:, 4] < 0.5).view(-1, 1, 1, 1)

    def signs(self) -> Tensor:
        """-1 or 1 for each channel, (n, C, 1, 1)."""
        return signs(self.numbers[:, self.NUMBERS :, None, None])


def signs(numbers: Tensor) -> Tensor:
    """-1 for numbers below a half, and 1.

    Returns:
        The shape of ``numbers``.
    """
    return (numbers >= 0.5).to(numbers.dtype) * 2 - 1


def inside(images: Tensor, place: tuple[Tensor, Tensor], side: int) -> Tensor:
    """The pixels of a square.

    Args:
        images: (n, C, H, W).
        place: top and left edges, (n, 1, 1, 1) each.
        side: of the square.

    Returns:
        bool, (n, 1, H, W).
    """
    rows = torch.arange(images.shape[2], device=images.device).view(1, 1, -1, 1) - place[0]
    columns = torch.arange(images.shape[3], device=images.device).view(1, 1, 1, -1) - place[1]
    return (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)


def stripes(clean: Tensor, eps: float, source: Source) -> Tensor:
    """The first images of linf: vertical stripes one pixel wide, each -eps or eps in each channel.

    Returns:
        (n, C, H, W) in [0, 1].
    """
    return (clean + eps * signs(uniform(clean[:, :, :1, :], source))).clamp_(0, 1)


def repaint(best: Tensor, clean: Tensor, eps: float, side: int, draws: Draws) -> Tensor:
    """Algorithm 2 (linf): a square of the best images gets the change -eps or eps in each channel.

    Returns:
        (n, C, H, W) in [0, 1].
    """
    square = inside(clean, draws.place(0, side, *clean.shape[2:]), side)
    return torch.where(square, (clean + eps * draws.signs()).clamp_(0, 1), best)


def tiles(clean: Tensor, eps: float, source: Source) -> Tensor:
    """The first images of l2: a grid of squares over the middle, each with a sign for each channel, eps long.

    Returns:
        (n, C, H, W) in [0, 1].
    """
    height, width = clean.shape[2:]
    count = min(TILES, height, width)
    side = min(height, width) // count
    top, left = (height - count * side) // 2, (width - count * side) // 2
    each = signs(uniform(clean[:, :, :count, :count], source))
    square = hill_and_valley(side).to(clean)
    change = torch.zeros_like(clean)
    change[:, :, top : top + count * side, left : left + count * side] = torch.kron(each, square)
    return project(clean + eps * unit(change), clean, eps, "l2")


def reshape_length(best: Tensor, clean: Tensor, eps: float, side: int, draws: Draws) -> Tensor:
    """Algorithm 3 (l2): the change inside of one square is taken away and spent on another, with a new shape.

    Returns:
        (n, C, H, W) in [0, 1].
    """
    change = best - clean
    into, out_of = (draws.place(which, side, *clean.shape[2:]) for which in (0, 1))
    emptied = inside(clean, out_of, side)
    touched = emptied | inside(clean, into, side)
    unused = (eps**2 - lengths(change).square()).clamp_min(0)
    budget = ((change.square() * touched).sum((2, 3), keepdim=True) + unused / clean.shape[1]).sqrt()
    places = _pixels(clean, into, side)
    square = hill_and_valley(side).to(clean)
    shape = torch.where(draws.turned(), square.T, square) * draws.signs() + _unit_channels(change[places])
    change = change.masked_fill(emptied, 0)
    change[places] = _unit_channels(shape) * budget
    return project(clean + change, clean, eps, "l2")


def _pixels(images: Tensor, place: tuple[Tensor, Tensor], side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The indices of squares, which give (n, C, side, side)."""
    samples = torch.arange(len(images), device=images.device).view(-1, 1, 1, 1)
    channels = torch.arange(images.shape[1], device=images.device).view(1, -1, 1, 1)
    steps = torch.arange(side, device=images.device)
    return samples, channels, place[0] + steps.view(1, 1, -1, 1), place[1] + steps.view(1, 1, 1, -1)


def _unit_channels(squares: Tensor) -> Tensor:
    """Each channel at length 1; one that is all zero stays so."""
    return unit(squares.flatten(0, 1).unsqueeze(1)).view_as(squares)
