"""What a method is: the start, when it is due, and how masks change.  It holds settings, never state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from numbers import Real
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from gossamer.core.distribution import check_sparsity, counts, explicit, find, live_weights
from gossamer.core.errors import SettingError
from gossamer.core.masks import Masks
from gossamer.core.named import Params, shapes
from gossamer.core.pattern import NM
from gossamer.core.rewire import scatter
from gossamer.core.schedule import is_whole


@runtime_checkable
class Method(Protocol):
    """What the sparsifier asks of a method; any class with these three is one.

    ``grads`` are the dense gradients, before masking.  ``generator`` is seeded by run and step, on the CPU: with it
    every rank draws the same numbers, and a resumed run draws what the uninterrupted one would have drawn.
    """

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """The masks at the start."""

    def due(self, step: int) -> bool:
        """Whether masks change at this step; whole numbers only, so that no device is waited for."""

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """The masks after the change."""


@dataclass(frozen=True, kw_only=True)
class Deviations:
    """Where an author's released code leaves the paper or clean practice; all off unless a result is to be reproduced.

    Args:
        bernoulli: initial masks toss a coin for each weight, so their number is random (ITOP, GraNet and P1's code).
        dense_momentum: gradients and momentum of dead weights stay (P1's code); weights are zeroed after each
            optimizer step instead, through a post-step hook on the optimizer.
        replace_step: a step that rewires takes no gradient step (RigL's code).
    """

    bernoulli: bool = False
    dense_momentum: bool = False
    replace_step: bool = False


CLEAN = Deviations()
P1_RELEASED = Deviations(bernoulli=True, dense_momentum=True)
RIGL_RELEASED = Deviations(replace_step=True)


@dataclass(frozen=True, kw_only=True)
class SparseMethod:
    """The settings that all methods share, a random start at the asked sparsity, and no change after it.

    A method of your own derives from this and defines what is different: often ``due`` and ``rewire`` alone.

    Args:
        sparsity: share of zeros over all selected weights, in [0, 1).
        total_steps: optimizer steps of the whole training, at least 1.
        distribution: how the live weights are shared among layers: a name of ``distribution.DISTRIBUTIONS``, or a
            density for each layer that together amount to the sparsity.
        dense: names of weights that stay dense; the others then carry their zeros.
        pattern: an N:M constraint on who may live.
        deviations: see there.

    Raises:
        SettingError: a value outside its range.
    """

    sparsity: float
    total_steps: int
    distribution: str | Mapping[str, float] = "erk"
    dense: tuple[str, ...] = ()
    pattern: NM | None = None
    deviations: Deviations = field(default=CLEAN)

    least_steps: ClassVar[int] = 1  # a training too short for the method's last update

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        check_sparsity(self.sparsity)
        find(self.distribution)
        given: object = self.dense
        if not isinstance(given, str):
            object.__setattr__(self, "dense", tuple(self.dense))  # a list would compare and print differently
        else:
            raise SettingError(f"expected names of weights to keep dense, got the string {self.dense!r}; pass a tuple")
        if not is_whole(self.total_steps):
            raise SettingError(f"expected total_steps to be a whole number, got {self.total_steps!r}; pass an int")
        if self.pattern is not None and self.deviations.bernoulli:
            raise SettingError("expected exact masks with an N:M pattern, got deviations.bernoulli; drop one of them")
        if self.total_steps < self.least_steps:
            raise SettingError(
                f"expected total_steps ≥ {self.least_steps} for {type(self).__name__}, got {self.total_steps}; "
                "pass epochs · batches per epoch"
            )

    def masks(self, params: Params, generator: torch.Generator) -> Masks:
        """Random masks, exact in number unless ``deviations.bernoulli``."""
        self.densities(params, self.sparsity)  # a target that cannot be reached is refused now, not hours later
        if isinstance(self.distribution, Mapping):  # and densities that amount to something else
            explicit(shapes(params), self.sparsity, densities=self.distribution, dense=self.dense)
        densities = self.densities(params, self.target(0))
        if self.deviations.bernoulli:
            return {
                n: (torch.rand(p.shape, generator=generator) < densities[n]).to(p.device) for n, p in params.items()
            }
        return scatter(params, counts(shapes(params), densities), generator, self.pattern)

    def densities(self, params: Params, sparsity: float) -> dict[str, float]:
        """The density of each layer at a sparsity, under this method's distribution, dense layers and pattern."""
        sizes = shapes(params)
        bound = {name: shape for name, shape in sizes.items() if name not in self.dense}
        capacity = self.pattern.capacity(bound) if self.pattern else None
        return find(self.distribution)(sizes, sparsity, dense=self.dense, capacity=capacity)

    def due(self, step: int) -> bool:
        """Never."""
        return False

    def rewire(
        self, step: int, masks: Masks, params: Params, grads: Mapping[str, Tensor], generator: torch.Generator
    ) -> Masks:
        """The same masks."""
        return masks

    @property
    def dense_gradient(self) -> bool:
        """Whether rewiring reads the gradient of dead weights, which a truly sparse step would have to compute."""
        return False

    def target(self, step: int) -> float:
        """The sparsity this method promises from this step on, until it is due again."""
        return self.sparsity


def promised(method: Method, step: int, params: Params) -> int | None:
    """The number of live weights a method promises after a step, None where it promises none.

    Args:
        method: any method; one without ``target`` promises nothing, nor does one with Bernoulli masks.
        step: the step at which it was due.
        params: the selected weights.

    Returns:
        A whole number or None.

    Example:
        >>> promised(SparseMethod(sparsity=0.5, total_steps=1), 0, {"a": torch.nn.Parameter(torch.zeros(4))})
        2
    """
    target = getattr(method, "target", None)
    if target is None or getattr(method, "deviations", CLEAN).bernoulli:
        return None
    sparsity = target(step)
    return None if sparsity is None else live_weights(shapes(params), sparsity)


def describe(method: Method) -> str:
    """A method in words, the same in every process.

    Args:
        method: any method.

    Returns:
        Its ``repr``, or its class name if it has none of its own.

    Example:
        >>> describe(SparseMethod(sparsity=0.5, total_steps=1))[:28]
        'SparseMethod(sparsity=0.5, t'
    """
    return type(method).__qualname__ if type(method).__repr__ is object.__repr__ else repr(method)


def steps_of(share: float, total_steps: int) -> int:
    """A share of the training in whole steps, at least 1: intervals that papers give in epochs.

    Args:
        share: in (0, 1].
        total_steps: steps of the training.

    Returns:
        A whole number of steps.

    Example:
        >>> steps_of(4 / 200, 10_000)
        200
    """
    return max(1, round(share * total_steps))


def check_share(name: str, value: float) -> float:
    """The value itself, if it lies in [0, 1].

    Args:
        name: of the setting, for the message.
        value: its value.

    Returns:
        The value.

    Raises:
        SettingError: it lies elsewhere.

    Example:
        >>> check_share("fraction", 0.3)
        0.3
    """
    given: object = value
    if not isinstance(given, Real) or not (isfinite(value) and 0 <= value <= 1):
        raise SettingError(f"expected {name} in [0, 1], got {value}; it is a share, such as 0.3")
    return value
