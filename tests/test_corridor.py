import pytest
import torch
from torch import optim

from gossamer import METHODS, RigL, Sparsifier
from tests import networks
from tests.corridor import NAMES, ROWS, STEPS, Row, Walk, assert_same_bits, same_masks, sgd

CASES = {row.name: row for row in ROWS}
NETWORKS = [networks.mlp, networks.convnet, networks.tied]

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "momentum_foreach": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, foreach=True),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "nesterov_fused": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, fused=True),
    "adam": lambda p: optim.Adam(p, weight_decay=0.01),
    "adam_foreach": lambda p: optim.Adam(p, foreach=True),
    "adam_fused": lambda p: optim.Adam(p, fused=True),
    "adamw": lambda p: optim.AdamW(p, weight_decay=0.1),
    "adamw_amsgrad": lambda p: optim.AdamW(p, amsgrad=True),
    "adamw_fused_amsgrad": lambda p: optim.AdamW(p, amsgrad=True, fused=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9, centered=True, weight_decay=0.01),
    "rmsprop_foreach": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.9, centered=True, foreach=True),
    "adagrad": lambda p: optim.Adagrad(p, initial_accumulator_value=0.1, weight_decay=0.01),
    "adagrad_fused": lambda p: optim.Adagrad(p, initial_accumulator_value=0.1, fused=True),
    "rprop": lambda p: optim.Rprop(p, lr=1e-3),
    "rprop_foreach": lambda p: optim.Rprop(p, lr=1e-3, foreach=True),
    "nadam": lambda p: optim.NAdam(p, weight_decay=0.01),
    "nadam_decoupled_foreach": lambda p: optim.NAdam(p, decoupled_weight_decay=True, foreach=True),
    "radam": lambda p: optim.RAdam(p, weight_decay=0.01),
    "radam_foreach": lambda p: optim.RAdam(p, foreach=True),
    "adadelta": lambda p: optim.Adadelta(p, weight_decay=0.01),
    "adadelta_foreach": lambda p: optim.Adadelta(p, foreach=True),
    "adamax": lambda p: optim.Adamax(p, weight_decay=0.01),
    "adamax_foreach": lambda p: optim.Adamax(p, foreach=True),
    "adafactor": lambda p: optim.Adafactor(p, weight_decay=0.01),
}


@pytest.fixture(params=NAMES)
def row(request) -> Row:
    return CASES[request.param]


def first_state(make, grad):
    """What an optimizer holds after its first step of a weight that was zero and has this gradient: by trying it."""
    weight = torch.nn.Parameter(torch.zeros_like(grad))
    weight.grad = grad.clone()
    optimizer = make([weight])
    optimizer.step()
    return {key: value for key, value in optimizer.state[weight].items() if value.shape == grad.shape}


def assert_unused_before_this_step(walk, who, make):
    """The optimizer holds, at the places ``who``, what it would hold had it never seen them before its last step."""
    for name, places in who.items():
        weight = walk.params[name]
        for key, fresh in first_state(make, weight.grad).items():
            assert torch.equal(walk.optimizer.state[weight][key][places], fresh[places]), (name, key)


def test_every_method_has_a_row():
    assert {row.method for row in ROWS} - {"started"} == set(METHODS)  # Started takes a method, and has no name
    assert len(set(NAMES)) == len(ROWS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_dead_stay_zero_and_the_newborn_start_afresh(row, optimizer):
    make, births = OPTIMIZERS[optimizer], 0
    walk = Walk.start(row, optimizer=lambda model: make(model.parameters()))
    for step in range(STEPS):
        walk.optimizer.zero_grad()
        networks.backward(walk.model, step)
        before = walk.sparsifier.masks
        assert walk.sparsifier.step() == walk.sparsifier.method.due(step)
        born = {name: mask & ~before[name] for name, mask in walk.sparsifier.masks.items()}
        births += sum(int(places.sum()) for places in born.values())
        assert not any(walk.params[name][places].any() for name, places in born.items())
        walk.optimizer.step()
        assert walk.alive() == walk.asked(step)
        walk.assert_dead_are_zero()
        dead = {name: ~mask for name, mask in walk.sparsifier.masks.items()}
        assert_unused_before_this_step(walk, {name: born[name] | dead[name] for name in dead}, make)
    assert (births > 0) == row.grows


@pytest.mark.parametrize("network", NETWORKS)
def test_live_weights_are_exact_after_every_step(row, network):
    walk = Walk.start(row, network)
    assert walk.alive() == walk.asked(0)
    for step in range(STEPS):
        walk.go(step, step + 1)
        assert walk.alive() == walk.asked(step)
        walk.assert_dead_are_zero()
    assert walk.sparsifier.report().live == walk.asked(STEPS)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(row, network):
    first, second = Walk.start(row, network).go(0, STEPS), Walk.start(row, network).go(0, STEPS)
    assert_same_bits(first.bits(), second.bits())
    other = Walk.start(row, network, seed=1).go(0, STEPS)
    assert same_masks(first.sparsifier.masks, other.sparsifier.masks) != row.random


@pytest.mark.parametrize("equal", ["weights", "gradients", "both"])
def test_ties_change_no_number_and_are_decided_by_the_seed(row, equal):
    def run(seed):
        walk = Walk.start(row, seed=seed)
        for step in range(STEPS):
            with torch.no_grad():
                for name, mask in walk.sparsifier.masks.items():
                    if equal != "gradients":
                        walk.params[name].copy_(mask.float())
            networks.backward(walk.model, step)
            if equal != "weights":
                walk.optimizer.zero_grad(set_to_none=False)
            walk.sparsifier.step()
            assert walk.alive() == walk.asked(step)
            walk.assert_dead_are_zero()
        return walk.sparsifier.masks

    first = run(0)
    assert same_masks(first, run(0))
    if row.method != "static" and (row.method != "gmp" or equal != "gradients"):
        assert not same_masks(first, run(1))


def test_nothing_is_reallocated(row):
    walk = Walk.start(row, networks.convnet, lambda model: optim.Adam(model.parameters())).go(0, 1)

    def addresses():
        held = [*walk.model.parameters(), *(p.grad for p in walk.model.parameters())]
        held += [v for state in walk.optimizer.state.values() for v in state.values()]
        return [tensor.data_ptr() for tensor in held]

    before = addresses()
    for step in range(1, STEPS):
        walk.optimizer.zero_grad(set_to_none=False)
        networks.backward(walk.model, step)
        walk.sparsifier.step()
        walk.optimizer.step()
        assert addresses() == before


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulated_gradients_choose_the_masks_of_one_big_batch(parts):
    at_once, in_parts = (Walk.start(CASES["rigl"], dtype=torch.float64) for _ in range(2))
    for step in range(STEPS):
        for walk, pieces in ((at_once, 1), (in_parts, parts)):
            images, labels = networks.batch(walk.model, step)
            walk.optimizer.zero_grad()
            for some, theirs in zip(images.chunk(pieces), labels.chunk(pieces), strict=True):
                (torch.nn.functional.cross_entropy(walk.model(some), theirs) / pieces).backward()
            walk.sparsifier.step()
            walk.optimizer.step()
        assert same_masks(at_once.sparsifier.masks, in_parts.sparsifier.masks)
    torch.testing.assert_close(at_once.model.state_dict(), in_parts.model.state_dict())


def test_grouped_convolutions_are_sparse_and_depthwise_ones_dense(row):
    walk = Walk.start(row, networks.convnet).go(0, STEPS)
    assert list(walk.sparsifier.masks) == ["0.weight", "4.weight", "7.weight"]
    assert walk.model[3].weight.count_nonzero() == walk.model[3].weight.numel()


def test_tied_weights_have_one_mask_and_stay_tied(row):
    walk = Walk.start(row, networks.tied).go(0, STEPS)
    assert list(walk.sparsifier.masks) == ["read.weight", "mix.weight"]
    assert walk.model.write.weight is walk.model.read.weight
    assert not walk.model.write.weight[~walk.sparsifier.masks["read.weight"]].any()


def test_half_precision_weights_walk_as_well(row):
    walk = Walk.start(row, dtype=torch.bfloat16)
    for step in range(STEPS):
        walk.go(step, step + 1)
        assert walk.alive() == walk.asked(step)
        walk.assert_dead_are_zero()


def test_a_layer_at_density_one_stays_whole_and_the_rest_carries_its_zeros():
    model = networks.mlp()
    optimizer = sgd(model)
    method = RigL(sparsity=0.5, total_steps=STEPS, every=3, dense=("4.weight",))
    walk = Walk(model, optimizer, Sparsifier(method, model, optimizer)).go(0, STEPS)
    assert bool(walk.sparsifier.masks["4.weight"].all())
    assert walk.alive() == walk.asked(STEPS) == 181  # half of 128 + 144 + 90
