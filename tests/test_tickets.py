"""Lottery tickets: how sparse after each pruning, and who is pruned."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import distribution
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.methods.tickets import LTH, prune


def params(seed: int = 0) -> dict[str, torch.nn.Parameter]:
    stream = torch.Generator().manual_seed(seed)
    return {
        "a": torch.nn.Parameter(torch.randn(6, 5, generator=stream)),
        "b": torch.nn.Parameter(10 * torch.randn(4, 3, 3, 3, generator=stream)),
        "c": torch.nn.Parameter(0.1 * torch.randn(7, 6, generator=stream)),
    }


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@given(st.floats(0, 0.999), st.integers(1, 20))
def test_each_round_prunes_the_same_share_and_the_last_is_exact(sparsity: float, rounds: int) -> None:
    ticket = LTH(sparsity=sparsity, rounds=rounds)
    path = [ticket.sparsity_after(number) for number in range(rounds + 1)]
    assert path[-1] == sparsity
    assert path[0] == 0
    kept = [(1 - later) / (1 - earlier) for earlier, later in pairwise(path)]
    assert kept == pytest.approx([kept[0]] * rounds)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sparsity": 1.0}, r"\[0, 1\)"),
        ({"sparsity": 90}, r"\[0, 1\)"),
        ({"sparsity": 0.9, "rounds": 0}, "expected rounds ≥ 1 and rewind ≥ 0, got 0 and 0"),
        ({"sparsity": 0.9, "rewind": -1}, "expected rounds ≥ 1 and rewind ≥ 0, got 1 and -1"),
    ],
)
def test_settings_outside_their_ranges_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        LTH(**settings)  # type: ignore[arg-type]  # sometimes wrong on purpose


@given(st.floats(0, 0.99), st.integers(0, 30))
def test_global_pruning_keeps_the_largest_of_all(sparsity: float, seed: int) -> None:
    weights = params(seed)
    masks = prune(weights, sparsity, stream())
    total = sum(w.numel() for w in weights.values())
    values = torch.cat([w.detach().abs().flatten() for w in weights.values()])
    alive = torch.cat([masks[name].flatten() for name in weights])
    live = distribution.live_weights({"all": (total,)}, sparsity)
    assert int(alive.sum()) == live
    assert set(values[alive].tolist()) == set(sorted(values.tolist(), reverse=True)[:live])


@pytest.mark.parametrize("budget", ["erk", "er", "uniform"])
def test_a_budget_fixes_each_layers_number(budget: str) -> None:
    weights = params()
    sizes = {name: tuple(w.shape) for name, w in weights.items()}
    wanted = distribution.counts(sizes, distribution.find(budget)(sizes, 0.7))
    masks = prune(weights, 0.7, stream(), budget=budget)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == wanted
    for name, mask in masks.items():
        weight = weights[name].detach().abs()
        assert float(weight[mask].min()) >= float(weight[~mask].max())


def test_an_unknown_budget_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="erk"):
        prune(params(), 0.5, stream(), budget="erkk")


def test_candidates_alone_may_live_even_if_the_dead_are_larger() -> None:
    weights = {"w": torch.nn.Parameter(torch.tensor([9.0, 1.0, 2.0, 3.0]))}
    masks = prune(weights, 0.5, stream(), candidates={"w": torch.tensor([False, True, True, True])})
    assert masks["w"].tolist() == [False, False, True, True]


def test_equal_magnitudes_are_chosen_among_by_the_generator_alone() -> None:
    weights = {"w": torch.nn.Parameter(torch.ones(200))}
    one, again = prune(weights, 0.5, stream()), prune(weights, 0.5, stream())
    other = prune(weights, 0.5, torch.Generator().manual_seed(1))
    assert int(one["w"].sum()) == int(other["w"].sum()) == 100
    assert torch.equal(one["w"], again["w"])
    assert not torch.equal(one["w"], other["w"])
