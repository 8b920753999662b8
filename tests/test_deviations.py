import copy

import pytest
import torch
from torch import optim

from gossamer import P1_RELEASED, RIGL_RELEASED, Deviations, RigL, Sparsifier
from gossamer.core.errors import StateError
from tests import networks
from tests.corridor import STEPS, Row, Walk, sgd

MOMENTUM_KEPT = Deviations(dense_momentum=True)
P1_SET = Row("set", "set", {"every": 3, "deviations": P1_RELEASED})
P1_STATIC = Row("random", "random", {"deviations": P1_RELEASED})
REPLACING = Row("rigl", "rigl", {"every": 3, "deviations": RIGL_RELEASED})


def momenta(walk):
    return {name: walk.optimizer.state[weight]["momentum_buffer"] for name, weight in walk.params.items()}


@pytest.mark.parametrize("row", [P1_SET, P1_STATIC], ids=lambda row: row.name)
def test_p1s_code_keeps_gradients_and_momentum_of_the_dead_but_not_their_weights(row):
    walk = Walk.start(row)
    for step in range(STEPS):
        walk.go(step, step + 1)
        walk.assert_dead_are_zero()
        for name, mask in walk.sparsifier.masks.items():
            if not mask.all():
                assert momenta(walk)[name][~mask].any()
                assert walk.params[name].grad[~mask].any()


def test_p1s_code_never_touches_momentum_when_it_rewires():
    # its regrown weights start with the buffer that ran on dense gradients while they were dead
    walk = Walk.start(P1_SET).go(0, 3)
    before = {name: buffer.clone() for name, buffer in momenta(walk).items()}
    networks.backward(walk.model, 3)
    assert walk.sparsifier.step()
    for name, buffer in momenta(walk).items():
        assert torch.equal(buffer, before[name])


def test_p1s_code_by_hand():
    """Two weights, one dead: momentum is 0.9·m + g for both, only the living one moves."""
    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 1.0]]))
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.5)

    class FirstOnly(RigL):
        def masks(self, params, generator):
            return {"weight": torch.tensor([[True, False]])}

    Sparsifier(FirstOnly(sparsity=0.5, total_steps=9, deviations=MOMENTUM_KEPT), model, optimizer)
    for _ in range(2):
        model.weight.grad = torch.tensor([[1.0, 1.0]])
        optimizer.step()
    assert model.weight.tolist() == [[1 - 0.5 * 1 - 0.5 * 1.5, 0.0]]
    assert optimizer.state[model.weight]["momentum_buffer"].tolist() == [[1.5, 1.5]]


@pytest.mark.parametrize("row", [P1_SET, P1_STATIC], ids=lambda row: row.name)
def test_a_copy_keeps_the_dead_at_zero_too(row):
    # an optimizer's copy loses its hooks, so the copy's dead weights would run free
    walk = Walk.start(row).go(0, 2)
    twin = Walk(*copy.deepcopy((walk.model, walk.optimizer, walk.sparsifier))).go(2, 4)
    twin.assert_dead_are_zero()


def test_remove_ends_the_zeroing():
    walk = Walk.start(P1_STATIC).go(0, 2)
    walk.sparsifier.remove()
    networks.backward(walk.model, 2)
    walk.optimizer.step()
    assert sum(int(weight.count_nonzero()) for weight in walk.params.values()) > 2 * walk.alive()


@pytest.mark.parametrize("make", [sgd, lambda model: optim.AdamW(model.parameters(), weight_decay=0.1)])
def test_rigls_code_lets_the_rewiring_replace_the_gradient_step(make):
    walk = Walk.start(REPLACING, networks.convnet, make)
    replaced = 0
    for step in range(STEPS):
        walk.optimizer.zero_grad()
        networks.backward(walk.model, step)
        before = {name: value.clone() for name, value in walk.model.named_parameters()}
        rewired = walk.sparsifier.step()
        walk.optimizer.step()
        for name, value in walk.model.named_parameters():
            mask = walk.sparsifier.masks.get(name)
            unmoved = torch.equal(value, before[name] if mask is None else torch.where(mask, before[name], 0))
            assert unmoved == rewired, name
        replaced += rewired
    assert replaced == 3
    assert walk.alive() == walk.asked(STEPS)


def test_rigls_code_leaves_the_momentum_of_survivors_alone():
    walk = Walk.start(REPLACING).go(0, 3)
    before, masks = {name: buffer.clone() for name, buffer in momenta(walk).items()}, walk.sparsifier.masks
    walk.go(3, 4)
    for name, buffer in momenta(walk).items():
        survivors = masks[name] & walk.sparsifier.masks[name]
        assert torch.equal(buffer, torch.where(survivors, before[name], 0))


def test_clean_methods_leave_no_hook_and_released_ones_say_so():
    walk = Walk.start(Row("rigl", "rigl"))
    assert not walk.optimizer._optimizer_step_post_hooks
    released = Walk.start(P1_SET).sparsifier.state_dict()["method"]
    assert "deviations=Deviations(bernoulli=True, dense_momentum=True" in released


def test_a_released_state_is_not_a_clean_ones():
    state = Walk.start(P1_SET).sparsifier.state_dict()
    with pytest.raises(StateError, match="a sparsifier state with method SET"):
        Walk.start(Row("set", "set", {"every": 3})).sparsifier.load_state_dict(state)
