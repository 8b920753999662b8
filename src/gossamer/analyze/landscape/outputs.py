"""What a network gives for every sample of a data set."""

import torch
from torch import Tensor, nn
from torch.utils.data import RandomSampler

from gossamer.analyze.landscape.states import State, outputs_at, state_of
from gossamer.analyze.passes import Data, Passes
from gossamer.core.errors import DataError, StateError
from gossamer.core.modes import left_as_found


def collect_outputs(
    model: nn.Module, data: Data, *, state: State | None = None, batch_size: int = 1000
) -> tuple[Tensor, Tensor]:
    """What a network gives for every sample of a data set, in evaluation mode.

    Args:
        model: its weights, modes and random state are left as found.
        data: a pair ``(inputs, labels)``, a list of such pairs or a DataLoader without shuffling, so that the outputs
            of several networks are of the same samples in the same order.
        state: state dict or module to use instead of the model's own weights.
        batch_size: samples at once, where a pair is given.

    Returns:
        Outputs (N, ...) and labels (N, ...), on the CPU.

    Raises:
        StateError: a state of another architecture, or a model that gives something else than a tensor.
        DataError: data that is no such thing, or a DataLoader that shuffles.

    Example:
        >>> collect_outputs(nn.Identity(), (torch.eye(2), torch.tensor([0, 1])))
        (tensor([[1., 0.],
                [0., 1.]]), tensor([0, 1]))
    """
    if isinstance(getattr(data, "sampler", None), RandomSampler):  # one pass cannot find it out by its samples
        raise DataError(
            "expected the same order for every network, got a DataLoader that shuffles; build it with shuffle=False"
        )
    used = state_of(model, model if state is None else state)
    outputs, labels = [], []
    with torch.no_grad(), left_as_found(model):
        for inputs, label in Passes(data, batch_size):
            given = outputs_at(model, used, inputs)
            if not isinstance(given, Tensor):
                raise StateError(f"expected a model that gives one tensor, got {type(given).__name__}; wrap it in one")
            outputs.append(given.cpu())
            labels.append(label.cpu())
    return torch.cat(outputs), torch.cat(labels)
