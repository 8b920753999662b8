import copy
import io

import pytest
import torch

from tests import networks
from tests.corridor import NAMES, ROWS, STEPS, Row, Walk, assert_same_bits

CASES = {row.name: row for row in ROWS}
NETWORKS = [networks.mlp, networks.convnet, networks.tied]


@pytest.fixture(params=NAMES)
def row(request) -> Row:
    return CASES[request.param]


def saved(walk):
    file = io.BytesIO()
    parts = {"model": walk.model, "optimizer": walk.optimizer, "sparsifier": walk.sparsifier}
    torch.save({name: part.state_dict() for name, part in parts.items()}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def resume(row, state, network, order=("model", "optimizer", "sparsifier"), **options):
    walk = Walk.start(row, network, network_seed=99, **options)
    for part in order:
        getattr(walk, part).load_state_dict(state[part])
    return walk


@pytest.mark.parametrize("network", NETWORKS)
def test_stop_and_resume_is_the_same_bit_for_bit(row, network):
    whole = Walk.start(row, network).go(0, STEPS)
    state = saved(Walk.start(row, network).go(0, 7))
    assert_same_bits(whole.bits(), resume(row, state, network).go(7, STEPS).bits())


@pytest.mark.parametrize("stop", range(STEPS + 1))
def test_every_moment_is_one_to_stop_at(stop):
    row, order = CASES["granet_random"], ("sparsifier", "optimizer", "model")
    state = saved(Walk.start(row, networks.mlp).go(0, stop))
    resumed = resume(row, state, networks.mlp, order).go(stop, STEPS)
    assert_same_bits(Walk.start(row).go(0, STEPS).bits(), resumed.bits())


def spoiled_step(walk, step, scaler):
    """One step under a gradient scaler whose gradients overflow in one live and one dead weight of each layer."""
    walk.optimizer.zero_grad()
    images, labels = networks.batch(walk.model, step)
    scaler.scale(torch.nn.functional.cross_entropy(walk.model(images), labels)).backward()
    for name, mask in walk.sparsifier.masks.items():
        for places, value in ((mask, torch.inf), (~mask, torch.nan)):
            walk.params[name].grad.view(-1)[places.reshape(-1).nonzero()[:1, 0]] = value
    return scaled_step(walk, scaler)


def scaled_step(walk, scaler):
    scaler.unscale_(walk.optimizer)
    rewired = walk.sparsifier.step()
    scaler.step(walk.optimizer)
    scaler.update()
    return rewired


def test_a_skipped_step_postpones_the_rewiring_and_nothing_else(row):
    walk, due = Walk.start(row, networks.convnet), 6
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    walk.go(0, due)
    before = {name: value for name, value in walk.bits().items() if "running" not in name and "tracked" not in name}
    assert not spoiled_step(walk, due, scaler)
    assert_same_bits(before, {name: walk.bits()[name] for name in before})
    assert scaler.get_scale() == 32.0  # the step was skipped

    walk.optimizer.zero_grad()
    images, labels = networks.batch(walk.model, due + 1)
    scaler.scale(torch.nn.functional.cross_entropy(walk.model(images), labels)).backward()
    rewired = scaled_step(walk, scaler)
    assert rewired == walk.sparsifier.method.due(due)
    assert walk.alive() == walk.asked(due)
    walk.assert_dead_are_zero()
    walk.go(due + 2, STEPS)
    assert walk.alive() == walk.asked(STEPS)
    assert all(value.isfinite().all() for value in walk.bits().values())
    assert all(weight.grad.isfinite().all() for weight in walk.params.values())


def test_a_postponed_rewiring_survives_a_stop(row):
    whole, stopped = Walk.start(row), Walk.start(row)
    for walk in (whole, stopped):
        walk.go(0, 6)
        spoiled_step(walk, 6, torch.amp.GradScaler("cpu"))
    resumed = resume(row, saved(stopped), networks.mlp).go(7, STEPS)
    assert_same_bits(whole.go(7, STEPS).bits(), resumed.bits())


def test_copies_live_their_own_lives(row):
    walk = Walk.start(row, networks.convnet).go(0, 5)
    lone, frozen = copy.deepcopy(walk.model), walk.bits()
    twin = Walk(*copy.deepcopy((walk.model, walk.optimizer, walk.sparsifier))).go(5, STEPS)
    assert_same_bits(frozen, walk.bits())
    assert_same_bits(twin.bits(), walk.go(5, STEPS).bits())
    for name, value in lone.state_dict().items():
        assert torch.equal(value, frozen[f"model {name}"])


def test_a_copy_of_an_attached_sparsifier_works_on_its_own_optimizer():
    # an optimizer's copy has no hooks: without care the copy would train dense, and nobody would say so
    walk = Walk.start(CASES["rigl"])
    walk.sparsifier.attach()
    twin = Walk(*copy.deepcopy((walk.model, walk.optimizer, walk.sparsifier)))
    for step in range(3):
        twin.optimizer.zero_grad()
        networks.backward(twin.model, step)
        twin.optimizer.step()
    assert (walk.sparsifier.clock, twin.sparsifier.clock) == (0, 3)
    twin.assert_dead_are_zero()
