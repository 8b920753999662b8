"""A method that starts from given masks, and growth by gradients of one's own."""

import pytest
import torch
from torch import nn

from gossamer import RigL, Sparsifier
from gossamer.core.errors import SettingError, StateError
from gossamer.methods import SET, Started
from tests import networks
from tests.corridor import given_masks, same_masks, sgd
from tests.own import OneByOne

HALF = {"weight": torch.tensor([[True, True, False, False]])}


def rigl(**changes):
    return RigL(**{"sparsity": 0.5, "total_steps": 10, "every": 1, "fraction": 0.5, "stop": 1.0, **changes})


def driver(method, weights=(0.1, 9.0, 0.0, 0.0)):
    model = nn.Linear(4, 1, bias=False)
    model.weight.data = torch.tensor([weights])
    return model, Sparsifier(method, model, sgd(model), where=["weight"])


def test_it_starts_from_the_given_masks_and_goes_on_as_the_method_does():
    model, sparsifier = driver(Started(rigl(), HALF))
    assert same_masks(sparsifier.masks, HALF)
    model.weight.grad = torch.ones(1, 4)
    sparsifier.step()  # step 0: RigL begins at its first interval
    assert same_masks(sparsifier.masks, HALF)
    model.weight.grad = torch.tensor([[0.0, 0.0, 5.0, 1.0]])
    sparsifier.step()
    assert sparsifier.masks["weight"].tolist() == [[False, True, True, False]]


def test_it_takes_over_what_a_sparsifier_asks_of_the_method():
    started = Started(rigl(), HALF)
    assert started.dense_gradient
    assert not Started(SET(sparsity=0.5, total_steps=10), HALF).dense_gradient
    assert started.target(3) == started.sparsity == 0.5
    assert [started.due(step) for step in (0, 1)] == [False, True]
    assert Started(OneByOne(), HALF).target(0) is None


def test_given_masks_that_break_the_methods_promise_are_refused():
    with pytest.raises(StateError, match="promised 1 live weights at step 0, its masks have 2"):
        driver(Started(rigl(sparsity=0.75), HALF))


def test_no_masks_are_refused():
    with pytest.raises(SettingError, match="expected masks by parameter name to start from, got none"):
        Started(rigl(), {})


def test_the_state_of_a_started_method_names_the_method_and_loads_into_its_like_alone():
    _, first = driver(Started(rigl(), HALF))
    _, second = driver(Started(rigl(fraction=0.25), HALF))
    assert first.state_dict()["method"].startswith("Started(method=RigL(sparsity=0.5")
    with pytest.raises(StateError, match="expected a sparsifier state with method Started"):
        second.load_state_dict(first.state_dict())


def test_due_tells_whether_the_next_step_changes_the_masks():
    model, sparsifier = driver(rigl(every=2))
    told, done = [], []
    for _ in range(6):
        model.weight.grad = torch.ones(1, 4)
        told.append(sparsifier.due)
        done.append(sparsifier.step())
    assert told == done == [False, False, True, False, True, False]


def test_a_postponed_rewiring_stays_due():
    model, sparsifier = driver(rigl(every=3))
    for _ in range(3):
        model.weight.grad = torch.ones(1, 4)
        sparsifier.step()
    model.weight.grad = torch.full((1, 4), float("nan"))
    assert not sparsifier.step()
    assert sparsifier.due
    model.weight.grad = torch.ones(1, 4)
    assert sparsifier.step()
    assert not sparsifier.due


def test_growth_looks_at_the_gradients_it_is_given_and_the_optimizer_at_its_own():
    model, sparsifier = driver(Started(rigl(), HALF))
    model.weight.grad = torch.ones(1, 4)
    sparsifier.step()
    model.weight.grad = torch.tensor([[1.0, 2.0, 5.0, 1.0]])
    assert sparsifier.step({"weight": torch.tensor([[0.0, 0.0, 1.0, 5.0]])})
    assert sparsifier.masks["weight"].tolist() == [[False, True, False, True]]
    assert model.weight.grad.tolist() == [[0.0, 2.0, 0.0, 1.0]]


@pytest.mark.parametrize("growth", [{}, {"weight": torch.zeros(4)}])
def test_growth_that_does_not_fit_is_refused(growth):
    model, sparsifier = driver(rigl())
    for _ in range(2):
        model.weight.grad = torch.ones(1, 4)
        if sparsifier.due:
            with pytest.raises(
                StateError, match=r"expected a gradient of each selected weight in growth, none fits \['wei"
            ):
                sparsifier.step(growth)
        else:
            sparsifier.step(growth)


def test_growth_that_is_not_finite_postpones_the_rewiring():
    model, sparsifier = driver(rigl())
    for growth in (None, {"weight": torch.full((1, 4), float("inf"))}):
        model.weight.grad = torch.ones(1, 4)
        assert not sparsifier.step(growth)
    assert sparsifier.due


def test_masks_of_a_whole_network_are_kept_in_number_by_every_update():
    model = networks.mlp()
    masks = given_masks(model)
    sparsifier = Sparsifier(Started(RigL(sparsity=0.7, total_steps=9, every=1), masks), model, sgd(model), where=masks)
    sizes = {name: int(mask.sum()) for name, mask in masks.items()}
    for step in range(4):
        networks.backward(model, step)
        sparsifier.step()
        assert {name: int(mask.sum()) for name, mask in sparsifier.masks.items()} == sizes
    assert not same_masks(masks, sparsifier.masks)
