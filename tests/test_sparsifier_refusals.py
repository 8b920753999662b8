import dataclasses
import math

import pytest
import torch
from torch import nn

from gossamer import NM, RigL, Sparsifier, Static, Uniform
from gossamer.core.errors import SettingError, StateError
from tests import networks
from tests.corridor import ROWS, Row, Walk, sgd

RIGL = Row("rigl", "rigl", {"every": 3})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "a sparsifier state with seed 1, got 0; build the sparsifier as it was when"),
        ({"settings": {"every": 4}}, r"state with method RigL\(.* every=4.*got RigL\(.*every=3"),
        ({"method": "mest"}, r"state with method MEST\(.*got RigL\("),
        ({"network": networks.convnet}, r"state with shapes \{'0.weight': \(8, 2, 3, 3\).*got \{'0.weight': \(16, 8\)"),
    ],
)
def test_the_state_of_another_run_is_refused(changes, words):
    state = Walk.start(RIGL).go(0, 5).sparsifier.state_dict()
    row = dataclasses.replace(RIGL, **{key: changes[key] for key in ("settings", "method") if key in changes})
    other = Walk.start(row, changes.get("network", networks.mlp), seed=changes.get("seed", 0))
    with pytest.raises(StateError, match=words):
        other.sparsifier.load_state_dict(state)


def test_the_state_of_another_version_is_refused():
    walk = Walk.start(RIGL)
    with pytest.raises(StateError, match="expected a sparsifier state with schema 1, got 2"):
        walk.sparsifier.load_state_dict({**walk.sparsifier.state_dict(), "schema": 2})
    with pytest.raises(StateError, match="expected a sparsifier state with schema 1, got None"):
        walk.sparsifier.load_state_dict({})


def test_a_refused_state_changes_nothing():
    walk = Walk.start(RIGL).go(0, 4)
    before = walk.bits()
    with pytest.raises(StateError):
        walk.sparsifier.load_state_dict(Walk.start(RIGL, seed=1).go(0, 7).sparsifier.state_dict())
    assert walk.sparsifier.clock == 4
    assert all(torch.equal(value, walk.bits()[name]) for name, value in before.items())


def test_an_optimizer_of_another_model_is_refused():
    optimizer = sgd(networks.mlp())
    with pytest.raises(StateError, match=r"got SGD without \['0.weight', '2.weight', '4.weight'\]; pass model.param"):
        Sparsifier(Uniform(sparsity=0.5), networks.mlp(), optimizer)


def test_an_optimizer_over_a_part_is_refused():
    model = networks.mlp()
    with pytest.raises(StateError, match=r"over the model's weights, got SGD without \['2.weight', '4.weight'\]"):
        Sparsifier(Uniform(sparsity=0.5), model, torch.optim.SGD(model[0].parameters(), lr=0.1))


def test_an_unknown_choice_for_newborns_is_refused():
    model = networks.mlp()
    with pytest.raises(SettingError, match="expected newborn='fresh' or 'mean', got 'random'; 'fresh' is the papers'"):
        Sparsifier(Uniform(sparsity=0.5), model, sgd(model), newborn="random")


def test_masks_of_another_model_are_refused():
    model = networks.mlp()
    with pytest.raises(StateError, match=r"got none for \['2.weight', '4.weight'\] and \['other'\] besides"):
        Sparsifier(Static({"0.weight": torch.ones(16, 8).bool(), "other": torch.ones(1).bool()}), model, sgd(model))


def test_a_rewiring_step_before_backward_is_refused():
    walk = Walk.start(RIGL).go(0, 3)
    walk.optimizer.zero_grad()
    with pytest.raises(StateError, match=r"expected gradients, got none; call step.. after backward.. and before zero"):
        walk.sparsifier.step()


@pytest.mark.parametrize("row", [RIGL, Row("random", "random")], ids=lambda row: row.name)
def test_the_very_first_step_before_backward_is_refused(row):
    # a static method never rewires: without this it would never be told, and its dead weights would come alive
    with pytest.raises(StateError, match=r"expected gradients, got none; call step.. after backward"):
        Walk.start(row).sparsifier.step()


def test_a_step_after_remove_is_refused():
    walk = Walk.start(RIGL).go(0, 2)
    walk.sparsifier.remove()
    with pytest.raises(StateError, match=r"expected a working sparsifier, got one after remove\(\); make a new"):
        walk.sparsifier.step()


def test_attaching_twice_is_refused():
    walk = Walk.start(RIGL)
    walk.sparsifier.attach()
    with pytest.raises(StateError, match=r"that is not attached, got one that is; remove\(\) the handle first"):
        walk.sparsifier.attach()


class OneTooFew(RigL):
    def rewire(self, step, masks, params, grads, generator):
        changed = super().rewire(step, masks, params, grads, generator)
        first = next(iter(changed.values()))
        first.view(-1)[first.view(-1).nonzero()[0]] = False
        return changed


class OneTooManyAtTheStart(Uniform):
    def masks(self, params, generator):
        masks = super().masks(params, generator)
        first = next(iter(masks.values()))
        first.view(-1)[(~first.view(-1)).nonzero()[0]] = True
        return masks


def test_a_method_that_breaks_its_promise_is_refused():
    model = networks.mlp()
    optimizer = sgd(model)
    sparsifier = Sparsifier(OneTooFew(sparsity=0.7, total_steps=16, every=3), model, optimizer)
    words = r"OneTooFew\(.* promised 109 live weights at step 3, its masks have 108; its rewire\(\) must return"
    with pytest.raises(StateError, match=words):
        Walk(model, optimizer, sparsifier).go(0, 4)
    with pytest.raises(StateError, match=r"promised 109 live weights at step 0, its masks have 110"):
        Sparsifier(OneTooManyAtTheStart(sparsity=0.7), model, optimizer)


def test_a_rewiring_that_returns_unfit_masks_is_refused():
    class Halves(RigL):
        def rewire(self, step, masks, params, grads, generator):
            return {name: mask.float() for name, mask in masks.items()}

    model = networks.mlp()
    optimizer = sgd(model)
    sparsifier = Sparsifier(Halves(sparsity=0.7, total_steps=16, every=3), model, optimizer)
    with pytest.raises(StateError, match=r"expected a bool mask for '0.weight', got torch\.float32; True means alive"):
        Walk(model, optimizer, sparsifier).go(0, 4)


def muon(model):
    return torch.optim.Muon(model.parameters(), lr=0.02)


def flat_mlp(seed):
    return networks.mlp(seed, bias=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_optimizer_that_mixes_entries_is_found_out_at_the_second_step(row):
    walk = Walk.start(row, flat_mlp, muon)
    if row.method == "gmp":  # dense until its first real pruning at step 5, looked at when it rewires again at 8
        walk.go(0, 8)
    else:
        walk.go(0, 1)
    words = r"\d+ weights outside the mask became nonzero during Muon.step\(\); this optimizer mixes entries — call spa"
    with pytest.raises(StateError, match=words):
        walk.go(walk.sparsifier.clock, 9)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_may_be_used_when_weights_are_masked_after_its_steps(row):
    walk = Walk.start(row, flat_mlp, muon)
    for step in range(16):
        walk.go(step, step + 1)
        walk.sparsifier.mask_weights()
        walk.assert_dead_are_zero()
        assert walk.alive() == walk.asked(step)


@pytest.mark.parametrize("first", [0, 5], ids=["after a skipped step", "after resuming"])
def test_mixing_is_found_out_in_a_static_network_that_did_not_step_at_first(first):
    # a gradient scaler skips the first steps as a rule, until its scale has come down
    walk = Walk.start(Row("random", "random"), flat_mlp, muon)
    walk.sparsifier.load_state_dict({**walk.sparsifier.state_dict(), "clock": first})
    networks.backward(walk.model, first)
    walk.sparsifier.step()
    with pytest.raises(StateError, match=r"\d+ weights outside the mask became nonzero during Muon"):
        walk.go(first + 1, first + 16)


def test_the_number_of_leaked_weights_is_told():
    walk = Walk.start(RIGL).go(0, 3)
    dead = ~walk.sparsifier.masks["0.weight"]
    with torch.no_grad():
        walk.params["0.weight"].view(-1)[dead.view(-1).nonzero()[:5, 0]] = math.nan  # NaN is not zero either
    networks.backward(walk.model, 3)
    for weight in walk.params.values():
        weight.grad = torch.ones_like(weight)
    with pytest.raises(StateError, match=r"^5 weights outside the mask became nonzero during SGD.step\(\)"):
        walk.sparsifier.step()


def test_a_pattern_that_cannot_hold_the_weights_is_refused_at_once():
    model = nn.Linear(8, 8)
    with pytest.raises(SettingError, match=r"the layers can hold only 32; raise sparsity to ≥ 0.5"):
        Sparsifier(RigL(sparsity=0.4, total_steps=9, pattern=NM(2, 4)), model, sgd(model))
