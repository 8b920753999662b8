"""An exponential moving average of a model whose wiring changes."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gossamer.core.errors import SettingError
from gossamer.core.named import select
from gossamer.core.sparsifier import Sparsifier


class SparseEMA:
    """torch's ``AveragedModel`` whose copy is as sparse as the model itself.

    An average over time is denser than any of its terms: a dead weight fades only slowly.  So dead weights are zeroed
    whenever the average is *read*, which costs nothing during training (masking at every update doubles the work).

    Args:
        model: the network in training.
        sparsifier: who knows its masks.
        decay: share of the old average kept at each update, in [0, 1).
        use_buffers: average batch-norm statistics as well.

    Raises:
        SettingError: the decay lies outside [0, 1).

    Example:
        >>> import torch
        >>> from gossamer import Uniform
        >>> model = nn.Linear(4, 4)
        >>> sparsifier = Sparsifier(Uniform(sparsity=0.5), model, torch.optim.SGD(model.parameters(), lr=0.1))
        >>> ema = SparseEMA(model, sparsifier, decay=0.99)
        >>> ema.update()
        >>> int(ema.averaged().weight.count_nonzero())
        8
    """

    def __init__(
        self, model: nn.Module, sparsifier: Sparsifier, *, decay: float = 0.999, use_buffers: bool = True
    ) -> None:
        if not 0 <= decay < 1:
            raise SettingError(f"expected a decay in [0, 1), got {decay}; 0.999 averages about 1 000 steps")
        self._model, self._sparsifier = model, sparsifier
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._average = AveragedModel(model, multi_avg_fn=average, use_buffers=use_buffers)

    def update(self) -> None:
        """Take in the model as it is now: after ``optimizer.step()``."""
        self._average.update_parameters(self._model)

    def averaged(self) -> nn.Module:
        """A copy of the averaged model, its dead weights exactly zero: to evaluate or to save."""
        module: nn.Module = deepcopy(self._average.module)  # the average itself goes on unmasked
        masks = self._sparsifier.masks
        for name, weight in select(module, where=list(masks)).items():
            weight.data.masked_fill_(~masks[name], 0)
        return module

    def state_dict(self) -> dict[str, Any]:
        """Averages and count, for a checkpoint."""
        return self._average.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._average.load_state_dict(state)
