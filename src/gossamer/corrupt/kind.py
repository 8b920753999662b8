"""What a corruption is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gossamer.corrupt.streams import Streams

Constants = tuple[Any, ...]  # of one severity: numbers in the order the function takes them
Apply = Callable[..., Tensor]  # (images, constants..., streams) -> images


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption: a function and the published constants it is called with.

    Args:
        apply: ``apply(images, *constants, streams)``: (B, C, H, W) in [0, 1] to the same; values beyond [0, 1] are
            clipped and truncated to levels by ``corrupt``.
        constants: of severities 1 to 5, by family.
        group: ``"noise"``, ``"blur"``, ``"weather"``, ``"digital"``, ``"extra"`` or ``"bar"``.
        colour: it works on colours and needs three channels.
        random: it draws random numbers.
        levels: ``apply`` takes and returns levels, uint8, instead of numbers in [0, 1].
        bounds: least and largest value of each constant when severity 6 is extrapolated; None is unbounded.
    """

    apply: Apply
    constants: Mapping[str, tuple[Constants, ...]]
    group: str
    colour: bool = False
    random: bool = True
    levels: bool = False
    bounds: tuple[tuple[float | None, float | None], ...] = ()


__all__ = ["Apply", "Constants", "Corruption", "Streams"]
