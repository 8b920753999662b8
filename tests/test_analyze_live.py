import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.analyze.live import check_dead, coordinates
from gossamer.core.errors import StateError
from tests import networks

MASK = torch.tensor([[True, False, True], [False, False, True]])


def layer():
    return nn.Linear(3, 2)


def random_masks(model, seed, share):
    draws = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(weight.shape, generator=draws) < share
        for name, weight in model.named_parameters()
        if weight.dim() > 1
    }


def test_a_vector_has_the_live_entries_in_the_order_of_the_parameters():
    model = layer()
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).reshape(2, 3))
        model.bias.copy_(torch.tensor([10.0, 11.0]))
    where = coordinates(model, {"weight": MASK})
    assert where.position().tolist() == [0, 2, 5, 10, 11]
    assert len(where) == 5
    assert where.sizes() == {"weight": 3, "bias": 2}
    assert dict(where.layers()) == {"weight": slice(0, 3), "bias": slice(3, 5)}
    placed = where.scatter(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert placed["weight"].tolist() == [[1, 0, 2], [0, 0, 3]]
    assert placed["bias"].tolist() == [4, 5]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.sampled_from(["mlp", "convnet", "tied"]))
@settings(max_examples=20)
def test_gather_and_scatter_are_inverse(seed, share, network):
    model = getattr(networks, network)()
    masks = random_masks(model, seed, share)
    where = coordinates(model, masks)
    vector = torch.randn(len(where))
    assert torch.equal(where.gather(where.scatter(vector)), vector)
    tensors = {name: torch.randn_like(param) for name, param in model.named_parameters()}
    back = where.scatter(where.gather(tensors))
    for name, tensor in tensors.items():
        assert torch.equal(back[name], tensor * masks[name] if name in masks else tensor)
    assert len(where) == sum(int(masks[n].sum()) if n in masks else p.numel() for n, p in model.named_parameters())


def test_both_are_differentiable():
    where = coordinates(layer(), {"weight": MASK})
    vector = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: tuple(where.scatter(v).values()), vector)
    tensors = [torch.randn(2, 3, dtype=torch.float64), torch.randn(2, dtype=torch.float64)]
    assert torch.autograd.gradcheck(
        lambda *parts: where.gather(dict(zip(where.params, parts, strict=True))), [t.requires_grad_() for t in tensors]
    )


def test_both_take_many_vectors_at_once():
    where = coordinates(layer(), {"weight": MASK})
    vectors = torch.randn(4, 5)
    placed = torch.func.vmap(where.scatter)(vectors)
    for number, vector in enumerate(vectors):
        assert torch.equal(placed["weight"][number], where.scatter(vector)["weight"])
    assert torch.equal(torch.func.vmap(where.gather)(placed), vectors)


def test_a_vector_has_the_type_that_was_given():
    where = coordinates(layer(), {"weight": MASK})
    assert {part.dtype for part in where.scatter(torch.ones(5, dtype=torch.float64)).values()} == {torch.float64}


def test_none_is_zeros():
    where = coordinates(layer(), {"weight": MASK})
    assert where.gather({"weight": None, "bias": torch.ones(2)}).tolist() == [0, 0, 0, 1, 1]


def test_the_position_is_a_copy():
    model = layer()
    where = coordinates(model)
    position = where.position()
    assert not position.requires_grad
    position.zero_()
    assert model.weight.count_nonzero() == 6


def test_a_tied_weight_counts_once():
    model = networks.tied()
    assert model.write.weight is model.read.weight
    assert coordinates(model).sizes() == {"read.weight": 60, "mix.weight": 36, "mix.bias": 6}


def test_a_frozen_parameter_does_not_move_and_its_mask_is_left_out():
    model = layer()
    model.weight.requires_grad_(False)
    where = coordinates(model, {"weight": MASK})
    assert where.sizes() == {"bias": 2}
    assert not where.alive


def test_wrappers_are_looked_through():
    assert coordinates(nn.DataParallel(layer()), {"weight": MASK}).sizes() == {"weight": 3, "bias": 2}


def test_masks_of_a_layer_without_live_weights():
    where = coordinates(layer(), {"weight": torch.zeros(2, 3) > 0})
    assert len(where) == 2
    assert where.scatter(torch.ones(2))["weight"].tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("name", ["other.weight", "write.weight"])
def test_a_mask_of_no_parameter_is_refused(name):
    with pytest.raises(
        StateError, match=rf"got masks of \['{name}'\] besides; these masks belong to another model, or"
    ):
        coordinates(networks.tied(), {name: torch.ones(10, 6) > 0})


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(StateError, match=r"mask of shape \(2, 3\) for 'weight', got \(3, 2\); these masks belong to"):
        coordinates(layer(), {"weight": MASK.T})


def test_a_mask_that_is_not_bool_is_refused():
    with pytest.raises(StateError, match=r"bool mask for 'weight', got torch.float32; True means alive"):
        coordinates(layer(), {"weight": MASK.float()})


def test_nothing_to_train_is_refused():
    with pytest.raises(StateError, match=r"parameters that require gradients, got none; call requires_grad_\(\)"):
        coordinates(layer().requires_grad_(False))


@pytest.mark.parametrize("shape", [(4,), (6,), (5, 1)])
def test_a_vector_of_other_masks_is_refused(shape):
    with pytest.raises(StateError, match=r"expected a vector of 5 live coordinates, got shape \(.*\); it belongs to"):
        coordinates(layer(), {"weight": MASK}).scatter(torch.zeros(shape))


def test_weights_outside_of_the_masks_are_refused():
    model = layer()
    where = coordinates(model, {"weight": MASK})
    with pytest.raises(
        StateError, match=r"zeros outside of the masks, got 3 other weights in \['weight'\]; these masks"
    ):
        check_dead(where)
    with torch.no_grad():
        model.weight.mul_(MASK)
    check_dead(where)


def test_a_dead_weight_that_is_not_a_number_is_refused():
    model = layer()
    with torch.no_grad():
        model.weight.mul_(MASK)
        model.weight[0, 1] = float("nan")
    with pytest.raises(StateError, match="got 1 other weights"):
        check_dead(coordinates(model, {"weight": MASK}))
