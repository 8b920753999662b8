"""What is counted of a wiring at one update, and the shares that follow."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Tally:
    """The weights of a layer or network after an update, counted.

    Attributes:
        weights: dead or alive.
        live: alive now.
        before: alive before this update.
        born: alive now, dead before.
        died: dead now, alive before.
        start: alive at the start.
        common: alive now and at the start.
        unbroken: alive at the start, now, and at every record between.
        ages: steps since birth, summed over the living.
        ever: alive at some record.
    """

    weights: int
    live: int
    before: int
    born: int
    died: int
    start: int
    common: int
    unbroken: int
    ages: int
    ever: int

    def row(self) -> Row:
        """The shares that a figure shows; one of nothing, as in a layer without live weights, is None.

        Returns:
            ``live``, ``born``, ``died``, and: ``density``; ``overlap_start`` and ``overlap_previous`` (Jaccard: alive
            in both by alive in either); ``survived``, the share of the start's live weights that live now;
            ``unbroken``, the share of them that never died; ``kept``, the share of the weights alive before the
            update that it left alive; ``age``, the mean of the living in steps; and ``explored``, the in-time
            over-parametrisation rate R_s (Liu et al. 2021, arXiv:2102.02887): weights that ever lived by all weights.

        Example:
            >>> row = Tally(10, 4, 4, 1, 1, 4, 3, 3, 600, 5).row()
            >>> row["overlap_previous"], row["survived"], row["age"], row["explored"]
            (0.6, 0.75, 150.0, 0.5)
        """
        return {
            "live": self.live,
            "born": self.born,
            "died": self.died,
            "density": _share(self.live, self.weights),
            "overlap_start": _share(self.common, self.start + self.live - self.common),
            "overlap_previous": _share(self.live - self.born, self.live + self.died),
            "survived": _share(self.common, self.start),
            "unbroken": _share(self.unbroken, self.start),
            "kept": _share(self.before - self.died, self.before),
            "age": _share(self.ages, self.live),
            "explored": _share(self.ever, self.weights),
        }


def total(tallies: Iterable[Tally]) -> Tally:
    """The network's tally of its layers'.

    Args:
        tallies: one a layer.

    Returns:
        Their sum.

    Example:
        >>> total([Tally(*range(10)), Tally(*range(10))]).ever
        18
    """
    listed = [asdict(tally) for tally in tallies]
    return Tally(**{field.name: sum(one[field.name] for one in listed) for field in fields(Tally)})


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
