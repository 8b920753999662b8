"""One way to reach every ``raise`` of the core and of the methods, and words of its message."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn, optim

from gossamer import GMP, MEST, NM, P1_RELEASED, SET, GraNet, RigL, SparseEMA, Sparsifier, Static, Uniform
from gossamer import masks as mask_ops
from gossamer.core import distribution, initialize, rewire, schedule
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.core.given import check_seed, check_tensor
from gossamer.core.interval import quantile
from gossamer.core.named import select
from gossamer.methods.tickets import LTH
from tests.layers import parameters, stream

SHAPES = {"a": (4, 5)}
FOUR = torch.ones(4) > 0
ONE = {"a": torch.ones(1, 1) > 0}
HALF = {"sparsity": 0.5, "total_steps": 9}


def load_damaged():
    driver = sparsifier()
    driver.load_state_dict({**driver.state_dict(), "clock": "x"})


class Row(NamedTuple):
    act: Callable[[], object]
    error: type[Exception]
    match: str


def sparsifier(method=None, **options):
    model = nn.Linear(4, 4)
    method = method or RigL(sparsity=0.5, total_steps=10, every=1)
    return Sparsifier(method, model, optim.SGD(model.parameters(), lr=0.1), **options)


def trained(method=None):
    driver = sparsifier(method)
    driver._model(torch.ones(1, 4)).sum().backward()
    return driver


def step_after_removal():
    driver = trained()
    driver.remove()
    driver.step()


def grow_by_nothing():
    driver = trained()  # due at step 1
    driver.step()
    driver.step(growth={})


def attach_twice():
    driver = sparsifier()
    driver.attach()
    driver.attach()


def load_other_seed():
    sparsifier(seed=1).load_state_dict(sparsifier(seed=0).state_dict())


def leak():
    driver = trained()
    driver.step()
    driver._model.weight.data.fill_(1.0)
    driver.step()


def no_gradients():
    driver = sparsifier()
    driver.step()
    driver.step()


def other_optimizer():
    Sparsifier(Uniform(sparsity=0.5), nn.Linear(4, 4), optim.SGD(nn.Linear(4, 4).parameters(), lr=0.1))


class Liar(RigL):
    def rewire(self, step, masks, params, grads, generator):
        return {name: torch.ones_like(mask) for name, mask in masks.items()}


def promise_broken():
    driver = trained(Liar(sparsity=0.5, total_steps=10, every=1))
    driver.step()
    driver.step()


def ema_of_decay_1():
    driver = sparsifier()
    SparseEMA(driver._model, driver, decay=1.0)


ROWS = {
    # distribution
    "explicit names": Row(
        lambda: distribution.explicit(SHAPES, 0.5, densities={}), SettingError, "one density for each of"
    ),
    "explicit range": Row(
        lambda: distribution.explicit(SHAPES, 0.5, densities={"a": 2}), SettingError, r"expected densities in \[0, 1\]"
    ),
    "explicit total": Row(
        lambda: distribution.explicit(SHAPES, 0.5, densities={"a": 1}), SettingError, "amount to sparsity 0.0000, asked"
    ),
    "distribution": Row(lambda: distribution.find("er_k"), UnknownNameError, "unknown distribution 'er_k'; did you"),
    "sparsity": Row(lambda: distribution.uniform(SHAPES, 95), SettingError, "got 95; 95 per cent is 0.95"),
    "dense name": Row(
        lambda: distribution.uniform(SHAPES, 0.5, dense=["b"]), UnknownNameError, "unknown layer to keep"
    ),
    "dense too much": Row(
        lambda: distribution.erk(SHAPES, 0.5, dense=["a"]), SettingError, "alone hold 20; lower sparsity to ≤ 0 or pass"
    ),
    "capacity": Row(
        lambda: distribution.erk(SHAPES, 0.5, capacity={"a": 5}), SettingError, "hold only 5; raise sparsity to ≥ 0.75"
    ),
    # named
    "where empty": Row(lambda: select(nn.ReLU()), SettingError, "at least one convolution or linear weight"),
    "where string": Row(lambda: select(nn.Linear(1, 1), "weight"), SettingError, "got the string 'weight'; pass"),
    "where unknown": Row(lambda: select(nn.Linear(1, 1), ["wait"]), UnknownNameError, "unknown parameter 'wait'"),
    # masks
    "mask names": Row(lambda: mask_ops.check({"a": FOUR}, {}), StateError, r"got none for \[\] and \['a'\] besides"),
    "mask type": Row(lambda: mask_ops.check({"a": torch.ones(1)}, {"a": FOUR}), StateError, "expected a bool mask"),
    "mask shape": Row(lambda: mask_ops.check({"a": FOUR}, {"a": torch.ones(2)}), StateError, "mask of shape"),
    "bits names": Row(lambda: mask_ops.unpack({}, SHAPES), StateError, "expected stored masks for"),
    "bits size": Row(
        lambda: mask_ops.unpack({"a": torch.ones(1)}, SHAPES), StateError, "expected 3 bytes for the mask"
    ),
    # rewire
    "too few": Row(
        lambda: rewire.largest(torch.ones(4), FOUR, 5, stream(0)), StateError, "at least 5 candidates with comparable"
    ),
    "drop too many": Row(
        lambda: rewire.drop_smallest(torch.ones(4), FOUR, 5, stream(0)), StateError, "drop at most the 4 live weights"
    ),
    "floor": Row(
        lambda: rewire.keep_largest({"a": torch.ones(4)}, {"a": FOUR}, 1, stream(0), 2), StateError, "lower floor"
    ),
    # pattern, schedule, initialize, ema
    "pattern": Row(lambda: NM(4, 2), SettingError, "expected 1 ≤ n < m, got 4:2"),
    "vector pattern": Row(lambda: NM(2, 4).capacity({"bias": (8,)}), SettingError, "dimension"),
    "vector initialize": Row(
        lambda: initialize.dense_({"a": torch.zeros(4)}, {"a": FOUR}, stream(0)), SettingError, "dimension"
    ),
    "whole interval": Row(lambda: schedule.Every(2.5), SettingError, "expected a whole number of steps"),
    "whole total": Row(lambda: RigL(sparsity=0.5, total_steps=2.5), SettingError, "total_steps to be a whole number"),
    "interval": Row(lambda: schedule.Every(0), SettingError, "an interval of at least 1 step, got 0"),
    "curve ends": Row(lambda: schedule.Cosine(0, 1, 2, 1), SettingError, "expected end ≥ begin, got begin=2, end=1"),
    "curve without a shape": Row(lambda: schedule._Curve(0, 1, 0, 2)(1), AssertionError, "a curve defines _left"),
    "fan": Row(
        lambda: initialize.dense_({"a": torch.ones(1, 1)}, ONE, stream(0), fan="up"), SettingError, "average', got 'up'"
    ),
    "law": Row(
        lambda: initialize.dense_({"a": torch.ones(1, 1)}, ONE, stream(0), law="odd"), SettingError, "form', got 'odd'"
    ),
    "decay": Row(ema_of_decay_1, SettingError, r"expected a decay in \[0, 1\), got 1\.0"),
    # method
    "no distribution": Row(lambda: RigL(**HALF, distribution=None), SettingError, "expected a distribution's name"),
    "worded sparsity": Row(
        lambda: RigL(sparsity=".5", total_steps=9), SettingError, r"expected a sparsity in \[0, 1\)"
    ),
    "one dense": Row(lambda: RigL(**HALF, dense="a"), SettingError, "got the string 'a'; pass a tuple"),
    "total_steps": Row(lambda: RigL(sparsity=0.5, total_steps=0), SettingError, "expected total_steps ≥ 1 for RigL"),
    "share": Row(lambda: SET(sparsity=0.5, total_steps=1, fraction=2), SettingError, r"expected fraction in \[0, 1\]"),
    "drop_by": Row(lambda: SET(sparsity=0.5, total_steps=1, drop_by="age"), SettingError, "got 'age'; P1 has 'signed'"),
    "mest grow_by": Row(lambda: MEST(**HALF, grow_by="age"), SettingError, "or 'gradient', got 'a"),
    "mest bound": Row(lambda: MEST(**HALF, bound=-1), SettingError, "expected bound ≥ 0, got -1"),
    "mest weight": Row(lambda: MEST(**HALF, gradient_weight=-1), SettingError, "expected gradient_weight ≥ 0"),
    "granet grow_by": Row(lambda: GraNet(**HALF, grow_by="age"), SettingError, "'random', got 'a"),
    "granet ends": Row(lambda: GraNet(**HALF, prune_begin=1), SettingError, "expected prune_begin ≤ prune_end"),
    "granet pattern": Row(lambda: GraNet(**HALF, pattern=NM(2, 4)), SettingError, "GraNet starts too dense"),
    "gmp scope": Row(lambda: GMP(**HALF, scope="all"), SettingError, "or 'layer', got 'all'"),
    "gmp ends": Row(lambda: GMP(**HALF, begin=1), SettingError, "expected begin ≤ end, got begin=1"),
    "gmp pattern": Row(lambda: GMP(**HALF, pattern=NM(2, 4)), SettingError, "gradual pruning starts dense"),
    "coins and pattern": Row(lambda: SET(**HALF, pattern=NM(2, 4), deviations=P1_RELEASED), SettingError, "pattern"),
    "mest pattern": Row(
        lambda: MEST(**HALF, pattern=NM(2, 4)).masks(parameters(0, ((10, 12),)), stream(0)),
        SettingError,
        "bound",
    ),
    "gmp floor": Row(lambda: GMP(**HALF, floor=-1), SettingError, "floor"),
    "gmp floors": Row(
        lambda: GMP(sparsity=0.9, total_steps=9, floor=50).masks(parameters(0, ((10, 10),)), stream(0)),
        SettingError,
        "floor",
    ),
    "static": Row(lambda: Static({}), SettingError, "expected masks by parameter name, got none"),
    "tickets": Row(
        lambda: LTH(sparsity=0.5, rounds=0), SettingError, "expected rounds ≥ 1 and rewind ≥ 0, got 0 and 0"
    ),
    # numbers and tensors from outside
    "no tensor": Row(lambda: check_tensor([1], "labels"), DataError, r"as a tensor, got list; pass torch.tensor"),
    "seed": Row(lambda: check_seed(None), SettingError, "a whole number of 0 or more as seed, got None"),
    "confidence": Row(lambda: quantile(95), SettingError, "expected a confidence between 0 and 1, got 95"),
    # sparsifier
    "no method": Row(lambda: sparsifier(RigL), SettingError, "expected a method such as RigL"),
    "damaged state": Row(load_damaged, StateError, "expected whole numbers of steps, got clock='x'"),
    "newborn": Row(lambda: sparsifier(newborn="old"), SettingError, "expected newborn='fresh' or 'mean', got 'old'"),
    "removed": Row(step_after_removal, StateError, r"got one after remove\(\); make a new Sparsifier"),
    "growth": Row(grow_by_nothing, StateError, "expected a gradient of each selected weight in growth, none fits"),
    "attached": Row(attach_twice, StateError, r"not attached, got one that is; remove\(\) the handle first"),
    "other state": Row(load_other_seed, StateError, "a sparsifier state with seed 1, got 0; build the sparsifier as"),
    "no gradients": Row(no_gradients, StateError, r"expected gradients, got none; call step\(\) after"),
    "other optimizer": Row(other_optimizer, StateError, r"got SGD without \['weight'\]; pass model\.parameters\(\)"),
    "broken promise": Row(promise_broken, StateError, "promised 8 live weights at step 1, its masks have 16"),
    "leak": Row(leak, StateError, r"8 weights outside the mask became nonzero during SGD\.step"),
}
