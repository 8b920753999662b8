"""The straight line between two networks (Goodfellow et al. 2015, arXiv:1412.6544; arXiv:2010.03533, figure 5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gossamer.analyze.landscape.path import Path, evaluate_curve
from gossamer.analyze.landscape.state_masks import OneOrEach, one_each, weight_names
from gossamer.analyze.landscape.states import State, state_of
from gossamer.analyze.passes import Data, Loss

ALPHAS = tuple((step - 4) / 20 for step in range(29))  # -0.2 to 1.2, of arXiv:2010.03533


@dataclass(frozen=True, eq=False)
class Line:
    """θ(α) = (1 - α) θ_start + α θ_end, over all parameters and buffers.

    Args:
        start: state at α = 0.
        end: state at α = 1.
        weights: names of the weights whose density is reported.

    Example:
        >>> Line({"w": torch.tensor([0.0, 4.0])}, {"w": torch.tensor([4.0, 0.0])}, ["w"]).at(0.25)
        {'w': tensor([1., 3.])}
    """

    start: Mapping[str, Tensor] = field(repr=False)
    end: Mapping[str, Tensor] = field(repr=False)
    weights: list[str]

    def at(self, alpha: float) -> dict[str, Tensor]:
        """The state at ``alpha``: exactly the ends at 0 and 1, and exactly their common value where they are equal.

        Args:
            alpha: any number.

        Returns:
            New tensors by name; whole numbers, such as a counter of batches, are those of the start.
        """
        pairs = {name: (tensor, self.end[name]) for name, tensor in self.start.items()}
        return {
            name: torch.lerp(first, second, alpha) if first.is_floating_point() else first.clone()
            for name, (first, second) in pairs.items()
        }


def line(model: nn.Module, start: State, end: State, masks: OneOrEach = None) -> Line:
    """The line between two states of a model's architecture.

    Args:
        model: the architecture; its own weights do not matter.
        start: state dict or module at α = 0.
        end: state dict or module at α = 1.
        masks: of both ends, or a pair of one each: dead weights are set to zero. None takes the states as they are.

    Returns:
        The line, made of copies.

    Raises:
        StateError: a state or mask that does not fit the model.

    Example:
        >>> line(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
        Line(weights=['weight'])
    """
    first, second = one_each(masks, 2)
    return Line(state_of(model, start, first), state_of(model, end, second), weight_names(model, first, second))


def interpolate(
    model: nn.Module,
    start: State,
    end: State,
    loss: Loss,
    data: Data,
    *,
    masks: OneOrEach = None,
    alphas: Iterable[float] = ALPHAS,
    test: Data | None = None,
    batch_norm_data: Data | None = None,
    batch_size: int = 1000,
) -> Path:
    """Loss and accuracy on the straight line between two networks of one architecture.

    Args:
        model: the architecture; its own weights, modes and random state are left as found.
        start: state dict or module at α = 0.
        end: state dict or module at α = 1.
        loss: from outputs and labels to the mean over a batch.
        data: a pair ``(inputs, labels)``, a list of such pairs or a DataLoader without shuffling.
        masks: of both ends, or a pair of one each: dead weights are set to zero. None takes the states as they are.
        alphas: 29 from -0.2 to 1.2 in Evci et al. 2022, arXiv:2010.03533; below 0 and above 1 is beyond the ends.
        test: other data to measure on.
        batch_norm_data: for batch-norm statistics, which are taken anew at every α; ``data`` if None.
        batch_size: samples at once, where a pair is given.

    Returns:
        A point for each of ``alphas``, as by :func:`gossamer.analyze.landscape.path.evaluate_curve`.

    Raises:
        StateError: two architectures, masks that do not fit, or a loss that is not finite.
        SettingError: no ``alphas``, one that is not finite, or a loss that is not one number.
        DataError: data that differs between passes.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> start, end = {"weight": torch.tensor([[0.0]])}, {"weight": torch.tensor([[2.0]])}
        >>> data = torch.ones(4, 1), torch.full((4, 1), 2.0)
        >>> interpolate(model, start, end, nn.functional.mse_loss, data, alphas=[0, 0.5]).rows()
        [{'alpha': 0.0, 'loss': 4.0, 'density': 0.0}, {'alpha': 0.5, 'loss': 1.0, 'density': 1.0}]
    """
    return evaluate_curve(
        model,
        line(model, start, end, masks),
        loss,
        data,
        alphas=alphas,
        test=test,
        batch_norm_data=batch_norm_data,
        batch_size=batch_size,
    )
