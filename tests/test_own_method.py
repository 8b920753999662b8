import pytest
import torch
from torch import nn

from gossamer import SparseMethod, Sparsifier
from gossamer.core.rewire import scatter
from tests import networks
from tests.corridor import STEPS, Walk, same_masks, sgd
from tests.own import OneByOne


def test_a_method_of_ones_own_needs_three_methods_and_no_base_class():
    model = networks.mlp()
    optimizer = sgd(model)
    walk = Walk(model, optimizer, Sparsifier(OneByOne(), model, optimizer)).go(0, 4)
    assert walk.alive() == 362 - 3 * 3
    walk.assert_dead_are_zero()
    assert walk.sparsifier.report().asked is None
    assert walk.sparsifier.state_dict()["method"] == "OneByOne"


class Thrice(SparseMethod):
    """A method of one's own, derived: the masks of the start come back every third step, elsewhere."""

    def due(self, step):
        return step > 0 and step % 3 == 0

    def rewire(self, step, masks, params, grads, generator):
        return scatter(params, {name: int(mask.sum()) for name, mask in masks.items()}, generator)


def test_a_method_of_ones_own_may_derive_from_the_base():
    model = networks.mlp()
    optimizer = sgd(model)
    walk = Walk(model, optimizer, Sparsifier(Thrice(sparsity=0.7, total_steps=STEPS), model, optimizer))
    start = walk.sparsifier.masks
    walk.go(0, 4)
    assert not same_masks(start, walk.sparsifier.masks)
    assert walk.alive() == walk.sparsifier.report().asked == 109
    assert walk.sparsifier.state_dict()["method"].startswith("Thrice(sparsity=0.7, ")


def test_a_method_may_work_on_its_masks_in_place_and_newborns_are_still_seen():
    class Swap(OneByOne):
        def masks(self, params, generator):
            return {"weight": torch.tensor([[True, True, True, False]])}

        def rewire(self, step, masks, params, grads, generator):
            masks["weight"].copy_(torch.tensor([[False, True, True, True]]))
            return masks

    model = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.Adam(model.parameters())
    sparsifier = Sparsifier(Swap(), model, optimizer, newborn="mean")
    for _ in range(2):
        model.weight.grad = torch.ones(1, 4)
        sparsifier.step()
        if sparsifier.clock == 1:
            optimizer.step()
    second_moment = optimizer.state[model.weight]["exp_avg_sq"]
    assert second_moment.tolist() == [[0.0] + [pytest.approx(1e-3)] * 3]
