"""Who dies and who is born: the primitives of every topology update, exact in number.

Selections go by rank, never by a threshold, so that ties and zeros cannot change the number; equal scores are decided
by the generator.  Scores live on any device, random numbers always come from a generator on the CPU, so that every
device and every rank sees the same ones.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import StateError
from gossamer.core.masks import Masks
from gossamer.core.pattern import NM


def largest(score: Tensor, candidates: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The ``count`` candidates with the largest scores, exactly that many.

    Selection by rank in linear time (quickselect), not by sorting.

    Args:
        score: importance of every weight, any shape; must not be NaN where a candidate is.
        candidates: bool, who may be chosen.
        count: how many, from 0 to the number of candidates.
        generator: chooses among equal scores, on the CPU.

    Returns:
        A bool tensor of the same shape.

    Raises:
        StateError: there are fewer candidates than asked, or a score is NaN.

    Example:
        >>> everyone = torch.ones(4, dtype=torch.bool)
        >>> largest(torch.tensor([3.0, 1.0, 2.0, 0.0]), everyone, 2, torch.Generator())
        tensor([ True, False,  True, False])
    """
    if count == 0:
        return torch.zeros_like(candidates)
    places = candidates.reshape(-1).nonzero()[:, 0]
    values = score.detach().reshape(-1)[places]
    _check_choice(values, count)
    return _mark(candidates, places[_best(values, count, generator)])


def kth_largest(values: Tensor, k: int) -> Tensor:
    """The k-th largest of all values, in linear time.

    Args:
        values: any shape, on any device.
        k: 1 for the largest.

    Returns:
        A tensor of no dimensions, of the same type.

    Example:
        >>> kth_largest(torch.tensor([3.0, 1.0, 2.0]), 2)
        tensor(2.)
    """
    flat = values.detach().reshape(-1)
    if flat.device.type == "cpu" and flat.dtype in (torch.float32, torch.float64):
        # numpy's introselect ran 15 times faster than torch.topk on 2.4 million distinct floats (3.0 against 46.6 ms)
        place = flat.numel() - k
        return torch.as_tensor(np.partition(flat.numpy(), place)[place])
    return flat.topk(k, sorted=False).values.min()


def drop_smallest(weight: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Let the ``count`` live weights of smallest magnitude die.

    Args:
        weight: the layer, or any importance whose magnitude counts.
        mask: who lives.
        count: how many die.
        generator: chooses among equal magnitudes.

    Returns:
        The new mask.

    Raises:
        StateError: more are to die than live.

    Example:
        >>> weight, mask = torch.tensor([0.1, -9.0, 0.0, 3.0]), torch.tensor([True, True, False, True])
        >>> drop_smallest(weight, mask, 1, torch.Generator())
        tensor([False,  True, False,  True])
    """
    alive = int(mask.count_nonzero())
    if count > alive:
        raise StateError(f"expected to drop at most the {alive} live weights, got {count}; lower the drop fraction")
    return largest(weight.abs(), mask, alive - count, generator)


def drop_signed(weight: Tensor, mask: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """SET's rule (Mocanu et al. 2018): the same share of smallest positive and of largest negative weights dies.

    Args:
        weight: the layer.
        mask: who lives; a live weight of exactly zero counts as positive, so it is among the first to die.
        fraction: share that dies on each side, in [0, 1].
        generator: chooses among equal weights.

    Returns:
        The new mask.

    Example:
        >>> weight = torch.tensor([0.1, 0.2, -0.3, -4.0])
        >>> drop_signed(weight, torch.ones(4, dtype=torch.bool), 0.5, torch.Generator())
        tensor([False,  True, False,  True])
    """
    places = mask.reshape(-1).nonzero()[:, 0]
    values = weight.detach().reshape(-1)[places]
    _check_choice(values, 0)
    kept = []
    for side in ((values >= 0).nonzero()[:, 0], (values < 0).nonzero()[:, 0]):
        count = side.numel() - round(fraction * side.numel())
        kept.append(places[side[_best(values[side].abs(), count, generator)]])
    return _mark(mask, torch.cat(kept))


def grow_largest(
    score: Tensor, mask: Tensor, count: int, generator: torch.Generator, pattern: NM | None = None
) -> Tensor:
    """Let the ``count`` dead weights with the largest scores be born; a live weight never competes.

    Args:
        score: importance of every weight, larger is better, such as the magnitude of the dense gradient.
        mask: who lives.
        count: how many are born.
        generator: chooses among equal scores: with all-zero gradients growth is random.
        pattern: an N:M constraint that holds before and must hold after.

    Returns:
        The new mask.

    Raises:
        StateError: fewer dead weights than asked may be born.

    Example:
        >>> score, mask = torch.tensor([9.0, 1.0, 5.0]), torch.tensor([True, False, False])
        >>> grow_largest(score, mask, 1, torch.Generator())
        tensor([ True, False,  True])
    """
    dead = ~mask if pattern is None else pattern.eligible(score, mask, generator)
    return mask | largest(score, dead, count, generator)


def grow_random(mask: Tensor, count: int, generator: torch.Generator, pattern: NM | None = None) -> Tensor:
    """Let ``count`` dead weights be born, every one as likely as any other.

    Args:
        mask: who lives.
        count: how many are born.
        generator: draws them.
        pattern: an N:M constraint that holds before and must hold after.

    Returns:
        The new mask.

    Example:
        >>> grow_random(torch.zeros(5, dtype=torch.bool), 3, torch.Generator().manual_seed(0)).sum()
        tensor(3)
    """
    dead = mask.numel() - int(mask.count_nonzero())
    if pattern is not None or dead < max(2 * count, mask.numel() / 2):
        score = torch.rand(mask.shape, generator=generator).to(mask.device)
        return grow_largest(score, mask, count, generator, pattern)
    grown, left = mask.clone(), count
    while left > 0:  # where most are dead, draw and discard those who live: 5 times faster than ranking all
        drawn = torch.randint(mask.numel(), (left,), generator=generator).to(mask.device)
        grown.view(-1)[drawn] = True
        left = count - (dead - (mask.numel() - int(grown.count_nonzero())))
    return grown


def scatter(
    params: Mapping[str, Tensor], counts: Mapping[str, int], generator: torch.Generator, pattern: NM | None = None
) -> Masks:
    """Random masks with exactly the given number of live weights in each layer.

    Args:
        params: the weights; only shape and device are used.
        counts: live weights by name.
        generator: draws the positions.
        pattern: an N:M constraint to obey.

    Returns:
        The masks.

    Example:
        >>> masks = scatter({"a": torch.zeros(4, 5)}, {"a": 7}, torch.Generator().manual_seed(0))
        >>> int(masks["a"].sum())
        7
    """
    nobody = {name: torch.zeros(p.shape, dtype=torch.bool, device=p.device) for name, p in params.items()}
    return {
        # a layer kept dense obeys no pattern
        name: ~mask if counts[name] == mask.numel() else grow_random(mask, counts[name], generator, pattern)
        for name, mask in nobody.items()
    }


def keep_largest(
    scores: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    count: int,
    generator: torch.Generator,
    floor: int = 0,
) -> Masks:
    """The ``count`` best candidates of the whole network, all layers compared with one another.

    Args:
        scores: importance by name, larger is better.
        candidates: who may be kept.
        count: how many are kept over all layers.
        generator: chooses among equal scores.
        floor: so many of each layer (or all its candidates, if fewer) are kept first, against layer collapse.

    Returns:
        The masks.

    Raises:
        StateError: fewer candidates than asked, or the floors alone need more.

    Example:
        >>> scores = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([8.0, 9.0])}
        >>> everyone = {name: torch.ones(2, dtype=torch.bool) for name in scores}
        >>> keep_largest(scores, everyone, 2, torch.Generator())["a"]
        tensor([False, False])
        >>> keep_largest(scores, everyone, 2, torch.Generator(), floor=1)["a"]
        tensor([False,  True])
    """
    if not scores:
        return {}
    first = {
        name: largest(score, candidates[name], min(floor, int(candidates[name].count_nonzero())), generator)
        for name, score in scores.items()
    }
    reserved = sum(int(mask.count_nonzero()) for mask in first.values())
    if reserved > count:
        raise StateError(f"expected room for {floor} weights in each layer ({reserved}), got {count}; lower floor")
    flat_scores = torch.cat([score.reshape(-1) for score in scores.values()])
    rest = torch.cat([(candidates[name] & ~first[name]).reshape(-1) for name in scores])
    chosen = largest(flat_scores, rest, count - reserved, generator)
    parts = torch.split(chosen, [score.numel() for score in scores.values()])
    return {name: first[name] | part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


def _best(values: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Which of these values are the ``count`` largest, as bool; equal ones are decided by the generator."""
    if count == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    threshold = kth_largest(values, count)
    chosen = values >= threshold
    surplus = int(chosen.count_nonzero()) - count
    if surplus:
        tied = (values == threshold).nonzero()[:, 0]
        lucky = torch.randperm(tied.numel(), generator=generator)[:surplus].to(values.device)
        chosen[tied[lucky]] = False
    return chosen


def _mark(like: Tensor, places: Tensor) -> Tensor:
    """A mask of that shape with these places alive."""
    marked = torch.zeros_like(like, memory_format=torch.contiguous_format)
    marked.view(-1)[places] = True
    return marked


def _check_choice(values: Tensor, count: int) -> None:
    undefined = int(values.isnan().count_nonzero())
    if not 0 <= count <= values.numel() or undefined:
        raise StateError(
            f"expected at least {count} candidates with comparable scores, and a number of 0 or more, got "
            f"{values.numel()}, {undefined} of them NaN; lower the number, or look for NaN weights or gradients"
        )
