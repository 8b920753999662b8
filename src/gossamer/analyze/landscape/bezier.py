"""A bent path of low loss between two networks (Garipov et al. 2018, arXiv:1802.10026)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.analyze.landscape.batch_norm import batch_statistics
from gossamer.analyze.landscape.interpolate import Line, line
from gossamer.analyze.landscape.state_masks import OneOrEach, one_each, union
from gossamer.analyze.landscape.states import State, outputs_at
from gossamer.analyze.live import Coordinates, coordinates
from gossamer.analyze.passes import Data, Loss, Passes, check_finite, check_scalar
from gossamer.core.errors import DataError, SettingError
from gossamer.core.given import check_seed
from gossamer.core.modes import left_as_found
from gossamer.core.schedule import is_whole


@dataclass(frozen=True, eq=False)
class Bezier:
    """φ(t) = (1 - t)² θ_start + 2 t (1 - t) θ_middle + t² θ_end (arXiv:1802.10026, section 3.2).

    Args:
        line: between both ends; what is not trained, such as buffers, follows it.
        middle: the bend, for the trained parameters by name.
        losses: (steps,) training losses, each at another t and batch.

    Example:
        >>> straight = Line({"w": torch.tensor([0.0, 0.0])}, {"w": torch.tensor([2.0, 0.0])}, ["w"])
        >>> Bezier(straight, {"w": torch.tensor([1.0, 4.0])}, torch.empty(0)).at(0.5)
        {'w': tensor([1., 2.])}
    """

    line: Line
    middle: Mapping[str, Tensor] = field(repr=False)
    losses: Tensor = field(repr=False)

    @property
    def weights(self) -> list[str]:
        """Names of the weights whose density is reported."""
        return self.line.weights

    def at(self, alpha: float) -> dict[str, Tensor]:
        """The state at t = ``alpha``; exactly the ends at 0 and 1.

        Args:
            alpha: t, in [0, 1] on the part between the ends.

        Returns:
            New tensors by name, differentiable in the middle.
        """
        first, bend, last = (1 - alpha) ** 2, 2 * alpha * (1 - alpha), alpha**2
        ends = self.line
        bent = {
            name: first * ends.start[name] + bend * middle + last * ends.end[name]
            for name, middle in self.middle.items()
        }
        return {**ends.at(alpha), **bent}


def train_bezier(
    model: nn.Module,
    start: State,
    end: State,
    loss: Loss,
    batches: Data,
    *,
    masks: OneOrEach = None,
    middle_masks: Mapping[str, Tensor] | None = None,
    steps: int = 1000,
    lr: float = 0.01,
    momentum: float = 0.9,
    seed: int = 0,
    batch_size: int = 128,
) -> Bezier:
    """Train the middle point of a quadratic Bézier curve so that the loss is low all along it.

    SGD on E_t L(φ(t)), t uniform in [0, 1], a new t for every batch; the middle begins halfway on the straight line.
    The rate is ``lr`` for half of the steps, falls linearly to 1 % of it at 90 %, and stays there, as in the authors'
    code. Batch norm uses the statistics of the batch; dropout is off, and there is no weight decay. Measure the curve
    with :func:`gossamer.analyze.landscape.path.evaluate_curve`.

    Args:
        model: the architecture; its own weights, modes and random state are left as found.
        start: state dict or module at t = 0.
        end: state dict or module at t = 1.
        loss: from outputs and labels to the mean over a batch.
        batches: a pair ``(inputs, labels)``, which is shuffled into batches; or batches that are read again and again
            as they come, such as a DataLoader, which may shuffle.
        masks: of both ends, or a pair of one each: dead weights are set to zero. None takes the states as they are.
        middle_masks: where the middle may have weights; None is the union of the masks of both ends, and everywhere
            where there are none.
        steps: of SGD.
        lr: learning rate; 0.01 and the momentum are the defaults of the authors' training script.
        momentum: in [0, 1).
        seed: of the t, and of the order of the batches.
        batch_size: where a pair is given; 128 in the authors' training script.

    Returns:
        The curve.

    Raises:
        StateError: two architectures, masks that do not fit, nothing to train, or a loss that is not finite.
        SettingError: a setting outside its range, or a loss that is not one number.
        DataError: batches that are not pairs of tensors, or that cannot be read again.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> data = torch.ones(8, 1), torch.full((8, 1), 3.0)
        >>> ends = {"weight": torch.tensor([[2.0]])}, {"weight": torch.tensor([[4.0]])}
        >>> curve = train_bezier(model, *ends, nn.functional.mse_loss, data, steps=100)
        >>> curve.at(0.0)["weight"].item(), abs(curve.at(0.5)["weight"].item() - 3) < 0.1, len(curve.losses)
        (2.0, True, 100)
    """
    _check_settings(steps, lr, momentum, batch_size)
    check_seed(seed)
    both = line(model, start, end, masks)
    where = coordinates(model, union(*one_each(masks, 2)) if middle_masks is None else middle_masks)
    halfway = both.at(0.5)
    middle = where.scatter(where.gather({name: halfway[name] for name in where.params}))
    middle = {name: tensor.detach().clone().requires_grad_() for name, tensor in middle.items()}
    losses = []
    with torch.enable_grad(), left_as_found(model), batch_statistics(model):
        torch.default_generator.manual_seed(seed)  # of a loader that shuffles; restored on leaving
        draws = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.SGD(middle.values(), lr=lr, momentum=momentum)
        curve = Bezier(both, middle, torch.empty(0))
        for step, batch in zip(range(steps), _endless(batches, batch_size, draws), strict=False):
            optimizer.param_groups[0]["lr"] = lr * _share(step / steps)
            alpha = float(torch.rand((), generator=draws, dtype=torch.float64))
            losses.append(_set_gradients_(model, curve, where, loss, batch, alpha))
            optimizer.step()
    trained = {name: tensor.detach() for name, tensor in middle.items()}
    return Bezier(both, trained, torch.tensor(losses, dtype=torch.float64))


def _set_gradients_(
    model: nn.Module, curve: Bezier, where: Coordinates, loss: Loss, batch: tuple[Tensor, Tensor], alpha: float
) -> float:
    """Gradients of a batch at a point of the curve into its middle, zero where that is dead; the loss."""
    inputs, labels = batch
    outputs: Any = outputs_at(model, curve.at(alpha), inputs)
    value = check_scalar(loss(outputs, labels.to(outputs.device) if isinstance(outputs, Tensor) else labels))
    gradients = torch.autograd.grad(value, list(curve.middle.values()), materialize_grads=True)
    live = where.scatter(where.gather(dict(zip(curve.middle, gradients, strict=True))))
    for name, middle in curve.middle.items():
        middle.grad = live[name]
    return check_finite(float(value.detach()))


def _share(done: float) -> float:
    """The learning rate as a share of the first, at a share of the training done."""
    return 1.0 if done <= 0.5 else max(0.01, 1 - 0.99 * (done - 0.5) / 0.4)


def _endless(batches: Data, batch_size: int, draws: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    if isinstance(batches, (tuple, list)) and len(batches) == 2 and isinstance(batches[0], Tensor):
        pair = Passes(batches, batch_size=len(batches[0]) or 1)  # as one batch, which checks it
        while True:
            for inputs, labels in pair:
                order = torch.randperm(len(labels), generator=draws)
                full = len(labels) // batch_size * batch_size or len(labels)  # a rest could be a single sample
                for chosen in torch.split(order[:full], batch_size):
                    yield inputs[chosen.to(inputs.device)], labels[chosen.to(labels.device)]
    if not isinstance(batches, Iterator):
        Passes(batches)  # refuses what is no batches at all
    while True:
        came = False
        for given in batches:
            came = True
            yield from Passes([given])
        if not came:
            raise DataError(
                "expected batches until all steps are done, but they ran out; pass a pair (inputs, labels), a list or "
                "a DataLoader, which can be read again"
            )


def _check_settings(steps: int, lr: float, momentum: float, batch_size: int) -> None:
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if not is_whole(value) or value < 1:
            raise SettingError(f"expected a whole number of 1 or more as {name}, got {value!r}")
    if not (isfinite(lr) and lr > 0):
        raise SettingError(f"expected lr above 0, got {lr}; the authors train with 0.01 to 0.03")
    if not 0 <= momentum < 1:
        raise SettingError(f"expected momentum in [0, 1), got {momentum}; the authors train with 0.9")
