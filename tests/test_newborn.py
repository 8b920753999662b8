import pytest
import torch
from torch import nn, optim

from gossamer import Sparsifier
from gossamer.core.newborn import restart_
from tests.corridor import Row, Walk

BORN = torch.tensor([True, False, False, False])
SURVIVORS = torch.tensor([False, True, True, False])


def worked(make, steps=5):
    """A weight of four that has been stepping for a while, and its optimizer."""
    weight = nn.Parameter(torch.zeros(4))
    optimizer = make([weight])
    stream = torch.Generator().manual_seed(0)
    for _ in range(steps):
        weight.grad = torch.randn(4, generator=stream)
        optimizer.step()
    return weight, optimizer


def restarted(make, how):
    weight, optimizer = worked(make)
    before = {key: value.clone() for key, value in optimizer.state[weight].items()}
    restart_(optimizer, weight, born=BORN, survivors=SURVIVORS, how=how)
    return before, optimizer.state[weight]


@pytest.mark.parametrize("how", ["fresh", "mean"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_survivors_keep_their_state_and_counters_are_nobodys(how, amsgrad):
    before, after = restarted(lambda p: optim.AdamW(p, amsgrad=amsgrad), how)
    assert set(after) == {"step", "exp_avg", "exp_avg_sq"} | ({"max_exp_avg_sq"} if amsgrad else set())
    assert after["step"] == before["step"] == 5
    for key in set(after) - {"step"}:
        assert torch.equal(after[key][SURVIVORS], before[key][SURVIVORS])
        assert before[key].all()
        assert after[key][3] == 0  # it died


@pytest.mark.parametrize("amsgrad", [False, True])
def test_fresh_forgets_both_moments(amsgrad):
    _, after = restarted(lambda p: optim.Adam(p, amsgrad=amsgrad), "fresh")
    assert all(after[key][0] == 0 for key in set(after) - {"step"})


@pytest.mark.parametrize("amsgrad", [False, True])
def test_mean_gives_the_second_moment_of_the_survivors_and_no_first(amsgrad):
    before, after = restarted(lambda p: optim.Adam(p, amsgrad=amsgrad), "mean")
    assert after["exp_avg"][0] == 0
    for key in set(after) - {"step", "exp_avg"}:
        torch.testing.assert_close(after[key][0], (before[key][1] + before[key][2]) / 2)


def test_mean_without_survivors_is_fresh():
    weight, optimizer = worked(optim.Adam)
    restart_(optimizer, weight, born=torch.ones(4).bool(), survivors=torch.zeros(4).bool(), how="mean")
    assert not optimizer.state[weight]["exp_avg_sq"].any()


def test_adagrad_and_rprop_restart_where_they_start_which_is_not_zero():
    _, adagrad = restarted(lambda p: optim.Adagrad(p, initial_accumulator_value=0.25), "fresh")
    assert adagrad["sum"][[0, 3]].tolist() == [0.25, 0.25]
    before, rprop = restarted(lambda p: optim.Rprop(p, lr=0.5), "fresh")
    assert before["step_size"][0] != 0.5
    assert rprop["step_size"][[0, 3]].tolist() == [0.5, 0.5]
    assert rprop["prev"][[0, 3]].tolist() == [0.0, 0.0]


def test_each_group_has_its_own_start():
    weights = [nn.Parameter(torch.zeros(4)) for _ in range(2)]
    groups = [{"params": [weight], "lr": rate} for weight, rate in zip(weights, (0.5, 0.125), strict=True)]
    optimizer = optim.Rprop(groups)
    for _ in range(3):
        for weight in weights:
            weight.grad = torch.ones(4)
        optimizer.step()
    restart_(optimizer, weights[1], born=BORN, survivors=SURVIVORS, how="fresh")
    assert optimizer.state[weights[1]]["step_size"][0] == 0.125


def test_an_optimizer_that_has_not_stepped_needs_no_restart():
    weight = nn.Parameter(torch.zeros(4))
    optimizer = optim.Adam([weight])
    restart_(optimizer, weight, born=BORN, survivors=SURVIVORS, how="fresh")
    assert weight not in optimizer.state


class Unfold:
    """The first half lives, and from step 1 000 on everyone."""

    def masks(self, params, generator):
        return {name: torch.arange(weight.numel()) < weight.numel() // 2 for name, weight in params.items()}

    def due(self, step):
        return step == 1000

    def rewire(self, step, masks, params, grads, generator):
        return {name: torch.ones_like(mask) for name, mask in masks.items()}


def first_update(how):
    """|first update| of newborns in units of the learning rate, after 1 000 steps on noise, and their neighbours'."""
    model = nn.ParameterDict({"w": nn.Parameter(torch.zeros(2000))})
    optimizer = optim.Adam(model.parameters(), lr=1.0)
    sparsifier = Sparsifier(Unfold(), model, optimizer, where=["w"], newborn=how)
    stream = torch.Generator().manual_seed(0)
    for _ in range(1001):
        before = model["w"].detach().clone()
        model["w"].grad = torch.randn(2000, generator=stream)
        sparsifier.step()
        optimizer.step()
    size = (model["w"].detach() - before).view(2, 1000).square().mean(dim=1).sqrt()
    return float(size[1]), float(size[0])


def test_adams_first_update_of_a_newborn_is_too_large_unless_its_neighbours_vouch_for_it():
    fresh, neighbours = first_update("fresh")
    # no bias correction at step 1 000: (1 - β₁) / √((1 - β₂) / (1 - β₂¹⁰⁰⁰)) = .1 / √(.001 / .632) = 2.51
    assert fresh == pytest.approx(2.514, rel=0.01)
    # steady state on noise: √((1 - β₁) / (1 + β₁)) = .229
    assert neighbours == pytest.approx(0.229, rel=0.05)
    vouched, _ = first_update("mean")
    # a first moment of one gradient only: (1 - β₁) = .1, smaller than the neighbours' but of their size
    assert vouched == pytest.approx(0.1, rel=0.05)


def test_the_sparsifier_passes_its_choice_on():
    walks = {}
    for how in ("fresh", "mean"):
        row = Row("set", "set", {"every": 3})
        walk = Walk.start(row, optimizer=lambda model: optim.Adam(model.parameters()), newborn=how).go(0, 3)
        before = walk.sparsifier.masks
        walk.model(torch.ones(1, 8)).sum().backward()
        walk.sparsifier.step()
        born = walk.sparsifier.masks["0.weight"] & ~before["0.weight"]
        walks[how] = walk.optimizer.state[walk.params["0.weight"]]["exp_avg_sq"][born]
    assert walks["fresh"].numel() > 0
    assert not walks["fresh"].any()
    assert walks["mean"].unique().numel() == 1
    assert walks["mean"][0] > 0
