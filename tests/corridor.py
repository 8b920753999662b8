"""The rows of the corridor that every method walks: a method in ``METHODS`` without a row fails the suite."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim import Optimizer

from gossamer import METHODS, NM, Masks, Method, RigL, Sparsifier, Static, masks, select
from gossamer.core.distribution import counts, live_weights, uniform
from gossamer.core.named import shapes
from gossamer.core.rewire import scatter
from gossamer.methods import Started
from tests import networks

STEPS = 16
SPARSITY = 0.7


@dataclass(frozen=True)
class Row:
    """One method with settings that rewire several times in 16 steps."""

    name: str
    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    grows: bool = True  # weights are born
    random: bool = True  # the seed matters

    def build(self, model: nn.Module) -> Method:
        if self.method == "static":
            return Static(given_masks(model))
        if self.method == "started":
            return Started(RigL(sparsity=SPARSITY, total_steps=STEPS, **self.settings), given_masks(model))
        return METHODS[self.method](**{"sparsity": SPARSITY, "total_steps": STEPS, **self.settings})


ROWS = (
    Row("random", "random", grows=False),
    Row("uniform", "uniform", grows=False),
    Row("static", "static", grows=False, random=False),
    Row("set", "set", {"every": 3}),
    Row("set_magnitude", "set", {"every": 3, "drop_by": "magnitude"}),
    Row("rigl", "rigl", {"every": 3}),
    Row("rigl_2_of_4", "rigl", {"every": 3, "pattern": NM(2, 4)}),
    Row("rigl_inverted", "rigl_inverted", {"every": 3}),
    Row("rigl_started", "started", {"every": 3}, random=False),
    Row("mest", "mest", {"every": 3}),
    Row("mest_gradient", "mest", {"every": 3, "grow_by": "gradient"}),
    Row("mest_gradient_weight", "mest", {"every": 3, "gradient_weight": 2.0}),
    Row("granet", "granet", {"every": 3}),
    Row("granet_random", "granet", {"every": 3, "grow_by": "random"}),
    Row("gmp", "gmp", {"every": 3}, grows=False, random=False),
    Row("gmp_layer", "gmp", {"every": 3, "scope": "layer"}, grows=False, random=False),
)


def _row_names(rows: Iterable[Row]) -> list[str]:
    return [row.name for row in rows]


NAMES = _row_names(ROWS)


def given_masks(model: nn.Module) -> Masks:
    params = select(model)
    live = counts(shapes(params), uniform(shapes(params), SPARSITY))
    return scatter(params, live, torch.Generator().manual_seed(5))


def sgd(model: nn.Module) -> Optimizer:
    return optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)


@dataclass
class Walk:
    """A network, its optimizer and its sparsifier, and the steps they take together."""

    model: nn.Module
    optimizer: Optimizer
    sparsifier: Sparsifier

    @classmethod
    def start(
        cls,
        row: Row,
        network: Callable[..., nn.Module] = networks.mlp,
        optimizer: Callable[[nn.Module], Optimizer] = sgd,
        *,
        seed: int = 0,
        network_seed: int = 0,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> "Walk":
        model = network(network_seed).to(dtype)
        chosen = optimizer(model)
        return cls(model, chosen, Sparsifier(row.build(model), model, chosen, seed=seed, **options))

    @property
    def params(self) -> dict[str, nn.Parameter]:
        return select(self.model)

    def go(self, first: int, last: int) -> "Walk":
        for step in range(first, last):
            self.optimizer.zero_grad()
            networks.backward(self.model, step)
            self.sparsifier.step()
            self.optimizer.step()
        return self

    def asked(self, step: int) -> int:
        """Live weights promised from this step on; a static method promises those it was given."""
        method = self.sparsifier.method
        if isinstance(method, Static):
            return masks.live(method.given)
        return live_weights(shapes(self.params), method.target(step))

    def alive(self) -> int:
        return masks.live(self.sparsifier.masks)

    def assert_dead_are_zero(self) -> None:
        for name, mask in self.sparsifier.masks.items():
            assert not self.params[name][~mask].any(), name

    def bits(self) -> dict[str, Tensor]:
        """All that a run consists of, by name."""
        found = {f"model {name}": value for name, value in self.model.state_dict().items()}
        found |= {f"mask {name}": mask for name, mask in self.sparsifier.masks.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer {index} {key}": torch.as_tensor(value) for key, value in state.items()}
        return {name: value.clone() for name, value in found.items()}


def assert_same_bits(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name, value in first.items() if not torch.equal(value, second[name])]
    assert not different


def same_masks(first: Masks, second: Masks) -> bool:
    return first.keys() == second.keys() and all(torch.equal(mask, second[name]) for name, mask in first.items())
