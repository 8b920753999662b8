import copy

import pytest
import torch

from gossamer import SparseEMA, Sparsifier, Static
from gossamer.core.errors import SettingError
from tests import networks
from tests.corridor import NAMES, ROWS, STEPS, Row, Walk, assert_same_bits, given_masks, sgd

SET = Row("set", "set", {"every": 2})


def followed(walk, ema, first, last, *, read=False):
    for step in range(first, last):
        walk.go(step, step + 1)
        ema.update()
        if read:
            ema.averaged()
    return ema


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_average_is_as_sparse_as_the_model(row):
    walk = Walk.start(row, networks.convnet)
    averaged = followed(walk, SparseEMA(walk.model, walk.sparsifier, decay=0.9), 0, STEPS).averaged()
    for name, mask in walk.sparsifier.masks.items():
        weight = averaged.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].count_nonzero() > 0.7 * mask.sum()


def test_the_average_by_hand():
    """a₁ = w₁, a₂ = d·a₁ + (1 - d)·w₂ and so on, for the living and for buffers."""
    model = networks.convnet()
    given = given_masks(model)
    walk = Walk(model, sgd(model), None)
    walk.sparsifier = Sparsifier(Static(given), model, walk.optimizer)
    ema, expected = SparseEMA(model, walk.sparsifier, decay=0.75), None
    for step in range(5):
        walk.go(step, step + 1)
        ema.update()
        now = {n: v.clone() for n, v in model.state_dict().items() if v.is_floating_point()}
        expected = now if expected is None else {n: 0.75 * expected[n] + 0.25 * v for n, v in now.items()}
    averaged = ema.averaged().state_dict()
    assert "1.running_var" in expected
    torch.testing.assert_close({name: averaged[name] for name in expected}, expected)


def test_buffers_stay_the_first_ones_if_asked():
    walk = Walk.start(SET, networks.convnet)
    # torch copies the buffers at every update unless they are averaged
    ema = followed(walk, SparseEMA(walk.model, walk.sparsifier, decay=0.5, use_buffers=False), 0, 4)
    assert torch.equal(ema.averaged()[1].running_mean, walk.model[1].running_mean)
    assert not torch.equal(ema.averaged()[1].weight, walk.model[1].weight)


def test_the_training_does_not_notice():
    plain, walk = Walk.start(SET, networks.convnet).go(0, STEPS), Walk.start(SET, networks.convnet)
    followed(walk, SparseEMA(walk.model, walk.sparsifier), 0, STEPS, read=True)
    assert_same_bits(plain.bits(), walk.bits())


def test_reading_the_average_does_not_change_what_is_read_later():
    seldom, often = Walk.start(SET), Walk.start(SET)
    first = followed(seldom, SparseEMA(seldom.model, seldom.sparsifier, decay=0.9), 0, STEPS).averaged()
    second = followed(often, SparseEMA(often.model, often.sparsifier, decay=0.9), 0, STEPS, read=True).averaged()
    assert_same_bits(dict(first.state_dict()), dict(second.state_dict()))


def test_state_goes_there_and_back():
    whole, halved = Walk.start(SET), Walk.start(SET)
    expected = followed(whole, SparseEMA(whole.model, whole.sparsifier, decay=0.9), 0, STEPS).averaged()
    state = copy.deepcopy(followed(halved, SparseEMA(halved.model, halved.sparsifier, decay=0.9), 0, 7).state_dict())
    resumed = SparseEMA(halved.model, halved.sparsifier, decay=0.9)
    resumed.load_state_dict(state)
    found = followed(halved, resumed, 7, STEPS).averaged()
    assert_same_bits(dict(expected.state_dict()), dict(found.state_dict()))


def test_tied_weights_stay_tied_and_sparse():
    walk = Walk.start(SET, networks.tied)
    averaged = followed(walk, SparseEMA(walk.model, walk.sparsifier, decay=0.9), 0, STEPS).averaged()
    assert averaged.write.weight is averaged.read.weight
    assert not averaged.write.weight[~walk.sparsifier.masks["read.weight"]].any()


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_outside_its_range_is_refused(decay):
    walk = Walk.start(SET)
    with pytest.raises(SettingError, match=r"expected a decay in \[0, 1\), got .*; 0.999 averages about 1 000 steps"):
        SparseEMA(walk.model, walk.sparsifier, decay=decay)
