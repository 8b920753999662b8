"""N:M patterns, a constraint on which weights may live: at most N of every M consecutive inputs of a neuron."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.nn.functional import pad

from gossamer.core.errors import SettingError


@dataclass(frozen=True)
class NM:
    """At most ``n`` live weights among every ``m`` consecutive inputs (dimension 1) of one output and kernel position.

    2:4 is what sparse tensor cores run (Mishra et al. 2021, arXiv:2104.08378).  A last group of fewer than ``m`` inputs
    may keep up to ``n`` as well.  The limit is an upper bound: at sparsities above 1 - n/m groups hold fewer.

    Args:
        n: most live weights in a group, 1 ≤ n < m.
        m: inputs in a group.

    Raises:
        SettingError: not 1 ≤ n < m.

    Example:
        >>> NM(2, 4).capacity({"fc": (3, 6)})
        {'fc': 12}
    """

    n: int
    m: int

    def __post_init__(self) -> None:
        if not 1 <= self.n < self.m:
            raise SettingError(f"expected 1 ≤ n < m, got {self.n}:{self.m}; NM(2, 4) keeps 2 of every 4")

    def capacity(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
        """The most weights each layer can keep alive.

        Args:
            shapes: shape of each weight by name, (outputs, inputs, kernel...).

        Returns:
            Whole numbers by name.

        Raises:
            SettingError: a weight has fewer than two dimensions.
        """
        for name, shape in shapes.items():
            if len(shape) < 2:
                raise SettingError(
                    f"expected weights of at least 2 dimensions, (outputs, inputs, ...), got {name!r} of shape "
                    f"{tuple(shape)}, which has no inputs to group; leave it out with where=..."
                )
        per_row = {name: shape[1] // self.m * self.n + min(shape[1] % self.m, self.n) for name, shape in shapes.items()}
        return {name: prod(shape) // shape[1] * per_row[name] for name, shape in shapes.items()}

    def eligible(self, score: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """The dead weights that may all be born together: the best of each group, as many as it has room for.

        Args:
            score: importance of every weight, larger is better, shape of the weight.
            mask: who lives, bool of the same shape.
            generator: breaks ties.

        Returns:
            A bool tensor of the same shape.
        """
        room = self.n - self._groups(mask, value=False).sum(-1, keepdim=True)
        score = score if score.is_floating_point() else score.float()
        finite = score.clamp(min=torch.finfo(score.dtype).min)  # the worst score still beats the living and the padding
        ranked = self._groups(finite.masked_fill(mask, -torch.inf), value=-torch.inf)
        shuffle = torch.rand(ranked.shape, generator=generator).argsort(-1).to(score.device)
        order = shuffle.gather(-1, ranked.gather(-1, shuffle).argsort(dim=-1, descending=True, stable=True))
        rank = torch.empty_like(order).scatter_(-1, order, torch.arange(self.m, device=order.device).expand_as(order))
        inputs_last = mask.movedim(1, -1).shape
        fits = (rank < room).reshape(*inputs_last[:-1], -1)[..., : inputs_last[-1]]
        return fits.movedim(-1, 1) & ~mask

    def _groups(self, tensor: Tensor, value: float) -> Tensor:
        """The tensor as rows of ``m`` consecutive inputs, the last group filled up with ``value``."""
        inputs_last = tensor.movedim(1, -1)
        return pad(inputs_last, (0, -tensor.shape[1] % self.m), value=value).reshape(-1, self.m)
