import pytest
import torch
from torch import nn

from gossamer import GMP, LayerCollapseWarning, Sparsifier, Static
from tests import networks
from tests.corridor import STEPS, Row, Walk, assert_same_bits, same_masks, sgd

RIGL = Row("rigl", "rigl", {"every": 3})


def sparse_norm(walk):
    squares = sum(
        (p.grad[walk.sparsifier.masks[n]] if n in walk.sparsifier.masks else p.grad).double().square().sum()
        for n, p in walk.model.named_parameters()
    )
    return float(squares.sqrt())


def test_step_leaves_the_gradients_of_the_living_as_they_are():
    walk = Walk.start(RIGL)
    networks.backward(walk.model, 0)
    dense = {name: weight.grad.clone() for name, weight in walk.model.named_parameters()}
    walk.sparsifier.step()
    for name, weight in walk.model.named_parameters():
        mask = walk.sparsifier.masks.get(name, torch.ones_like(weight, dtype=torch.bool))
        assert torch.equal(weight.grad, torch.where(mask, dense[name], 0))
        assert bool(mask.all()) or bool(dense[name][~mask].any())  # there was something to mask


def test_clipping_after_step_sees_the_norm_of_the_sparse_network():
    walk = Walk.start(RIGL)
    networks.backward(walk.model, 0)
    dense = nn.utils.get_total_norm([p.grad for p in walk.model.parameters()])
    expected = sparse_norm(walk)
    walk.sparsifier.step()
    clipped = nn.utils.clip_grad_norm_(walk.model.parameters(), 1e9)
    assert float(clipped) == pytest.approx(expected, rel=1e-6)
    assert dense > 1.1 * clipped


def test_step_tells_whether_it_rewired_and_the_clock_counts_steps():
    walk, told = Walk.start(RIGL), []
    for step in range(8):
        networks.backward(walk.model, step)
        told.append(walk.sparsifier.step())
        walk.optimizer.step()
    assert [step for step, rewired in enumerate(told) if rewired] == [3, 6]
    assert walk.sparsifier.clock == 8


def test_sparsity_is_the_share_of_zeros():
    walk = Walk.start(RIGL)
    zeros = sum(int((weight == 0).sum()) for weight in walk.params.values())
    assert walk.sparsifier.sparsity == pytest.approx(zeros / 362, abs=1e-15)


def test_mask_weights_writes_zeros_even_over_nan():
    walk = Walk.start(RIGL)
    with torch.no_grad():
        for weight in walk.params.values():
            weight.fill_(torch.nan)
    walk.sparsifier.mask_weights()
    walk.assert_dead_are_zero()


def test_remove_leaves_plain_weights_that_may_grow_again():
    walk = Walk.start(RIGL).go(0, 2)
    walk.sparsifier.attach()
    walk.sparsifier.remove()
    for step in range(2, 4):
        walk.optimizer.zero_grad()
        networks.backward(walk.model, step)
        walk.optimizer.step()
    assert sum(int(weight.count_nonzero()) for weight in walk.params.values()) > 3 * walk.alive()
    assert walk.sparsifier.clock == 2


@pytest.mark.parametrize("network", [networks.mlp, networks.convnet])
def test_an_attached_sparsifier_does_what_the_line_in_the_loop_does(network):
    by_hand, attached = Walk.start(RIGL, network).go(0, STEPS), Walk.start(RIGL, network)
    handle = attached.sparsifier.attach()
    for step in range(STEPS):
        attached.optimizer.zero_grad()
        networks.backward(attached.model, step)
        attached.optimizer.step()
    assert_same_bits(by_hand.bits(), attached.bits())
    handle.remove()
    attached.optimizer.step()
    assert attached.sparsifier.clock == STEPS
    attached.sparsifier.attach()  # a removed handle does not count


def test_attach_follows_another_optimizer_if_told_to():
    walk = Walk.start(RIGL)
    other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    walk.sparsifier.attach(other)
    networks.backward(walk.model, 0)
    walk.optimizer.step()
    assert walk.sparsifier.clock == 0
    other.step()
    assert walk.sparsifier.clock == 1


def test_a_layer_that_collapses_is_named():
    model = networks.mlp()
    with torch.no_grad():
        model[2].weight.mul_(1e-6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    walk = Walk(model, optimizer, Sparsifier(GMP(sparsity=0.9, total_steps=STEPS, every=3), model, optimizer))
    with pytest.warns(LayerCollapseWarning, match=r"no live weight is left in \['2.weight'\]: .* set a floor"):
        walk.go(0, STEPS)


def test_a_layer_that_starts_empty_is_named_as_well():
    model = networks.mlp()
    empty = {"0.weight": torch.zeros(16, 8, dtype=torch.bool)}
    with pytest.warns(LayerCollapseWarning, match=r"\['0.weight'\]"):
        Sparsifier(Static(empty), model, sgd(model), where=empty)


@pytest.mark.parametrize("boundary", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_step_works_the_same_whatever_the_gradient_mode(boundary):
    plain, bounded = Walk.start(RIGL).go(0, STEPS), Walk.start(RIGL)
    for step in range(STEPS):
        bounded.optimizer.zero_grad()
        networks.backward(bounded.model, step)
        with boundary():
            bounded.sparsifier.step()
        bounded.optimizer.step()
    assert_same_bits(plain.bits(), bounded.bits())
    assert all(weight.requires_grad and not weight.is_inference() for weight in bounded.params.values())


def test_the_masks_handed_out_keep_their_values():
    walk = Walk.start(Row("set", "set", {"every": 1}))
    before = walk.sparsifier.masks
    copies = {name: mask.clone() for name, mask in before.items()}
    walk.go(0, 3)
    assert same_masks(before, copies)
    assert not same_masks(before, walk.sparsifier.masks)


def test_frozen_layers_need_no_gradient():
    walk = Walk.start(RIGL)
    walk.params["0.weight"].requires_grad_(False)
    frozen = walk.params["0.weight"].clone()
    walk.go(0, 3)
    assert torch.equal(walk.params["0.weight"], frozen)
    walk.go(3, STEPS)
    assert walk.alive() == walk.asked(STEPS)
