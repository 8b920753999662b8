import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossamer import masks as mask_ops
from gossamer.core.errors import StateError
from tests.layers import stream

layer_shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)
networks = st.dictionaries(st.text(min_size=1, max_size=5), layer_shapes, min_size=1, max_size=4)


def random_masks(shapes, seed):
    draws = stream(seed)
    return {name: torch.rand(shape, generator=draws) < 0.5 for name, shape in shapes.items()}


@given(networks, st.integers(0, 99))
def test_pack_and_unpack_give_the_same_masks_back(shapes, seed):
    masks = random_masks(shapes, seed)
    bits = mask_ops.pack(masks)
    assert all(stored.numel() == math.ceil(masks[name].numel() / 8) for name, stored in bits.items())
    back = mask_ops.unpack(bits, shapes)
    assert list(back) == list(shapes)
    assert all(back[name].dtype == torch.bool and torch.equal(back[name], masks[name]) for name in masks)


def test_pack_reads_bits_in_the_order_of_the_weights_whatever_the_memory_format():
    mask = torch.rand(4, 3, 2, 2, generator=stream(0)) < 0.5
    strided = mask.to(memory_format=torch.channels_last)
    assert torch.equal(mask_ops.pack({"w": strided})["w"], mask_ops.pack({"w": mask})["w"])
    assert torch.equal(mask_ops.pack({"w": mask.mT})["w"], mask_ops.pack({"w": mask.mT.contiguous()})["w"])


def test_unpacked_masks_may_be_written_to_without_touching_what_was_stored():
    bits = mask_ops.pack({"w": torch.ones(3, 3, dtype=torch.bool)})
    mask_ops.unpack(bits, {"w": (3, 3)})["w"].zero_()
    assert mask_ops.unpack(bits, {"w": (3, 3)})["w"].all()


@given(networks, st.integers(0, 99))
def test_counts_agree_with_a_loop_over_weights(shapes, seed):
    masks = random_masks(shapes, seed)
    alive = {name: sum(bool(bit) for bit in mask.reshape(-1)) for name, mask in masks.items()}
    total = sum(mask.numel() for mask in masks.values())
    assert mask_ops.live(masks) == sum(alive.values())
    assert mask_ops.size(masks) == total
    assert mask_ops.sparsity(masks) == pytest.approx((total - sum(alive.values())) / total)
    assert mask_ops.density(masks) == {name: alive[name] / masks[name].numel() for name in masks}


@given(networks, st.integers(0, 99), st.integers(0, 99))
def test_overlap_agrees_with_sets_of_places(shapes, one, other):
    first, second = random_masks(shapes, one), random_masks(shapes, other)
    found = mask_ops.overlap(first, second)
    for name in shapes:
        here, there = ({tuple(p) for p in m[name].nonzero().tolist()} for m in (first, second))
        assert found[name] == (len(here & there) / len(here | there) if here | there else 1.0)


def test_overlap_of_equal_disjoint_and_empty_masks():
    half, other, none = torch.tensor([1, 1, 0, 0]) > 0, torch.tensor([0, 0, 1, 1]) > 0, torch.zeros(4) > 0
    assert mask_ops.overlap({"w": half}, {"w": half}) == {"w": 1.0}
    assert mask_ops.overlap({"w": half}, {"w": other}) == {"w": 0.0}
    assert mask_ops.overlap({"w": none}, {"w": none}) == {"w": 1.0}


def test_apply_zeroes_the_dead_in_place_and_turns_their_nan_and_infinity_into_zero():
    weight = torch.nn.Parameter(torch.tensor([1.0, math.nan, math.inf, -2.0]))
    place = weight.data_ptr()
    mask_ops.apply_({"w": weight}, {"w": torch.tensor([True, False, False, True])})
    assert weight.tolist() == [1.0, 0.0, 0.0, -2.0]
    assert weight.data_ptr() == place
    assert weight.is_leaf


def test_check_names_missing_and_extra_masks():
    masks = {"a": torch.ones(2) > 0, "c": torch.ones(2) > 0}
    with pytest.raises(
        StateError, match=r"got none for \['b'\] and \['c'\] besides; .* Sparsifier\(\.\.\., where=masks"
    ):
        mask_ops.check(masks, {"a": torch.ones(2), "b": torch.ones(2)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64])
def test_check_wants_bool(dtype):
    with pytest.raises(
        StateError, match=rf"expected a bool mask for 'a', got {dtype}; True means alive: pass mask.bool"
    ):
        mask_ops.check({"a": torch.ones(2, dtype=dtype)}, {"a": torch.ones(2)})


def test_check_wants_the_shape_of_the_weight():
    with pytest.raises(StateError, match=r"mask of shape \(2, 3\) for 'a', got \(3, 2\); .* another model"):
        mask_ops.check({"a": torch.ones(3, 2) > 0}, {"a": torch.ones(2, 3)})


def test_overlap_refuses_masks_of_different_networks():
    with pytest.raises(StateError, match=r"got none for \['b'\]"):
        mask_ops.overlap({"a": torch.ones(2) > 0}, {"a": torch.ones(2) > 0, "b": torch.ones(2) > 0})


def test_unpack_refuses_other_names_and_other_sizes():
    bits = mask_ops.pack({"a": torch.ones(3, 3) > 0})
    with pytest.raises(StateError, match=r"stored masks for \['b'\], got a mismatch in \['a', 'b'\]; .* another model"):
        mask_ops.unpack(bits, {"b": (3, 3)})
    with pytest.raises(StateError, match=r"expected 3 bytes for the mask of 'a' with shape \(4, 5\), got 2"):
        mask_ops.unpack(bits, {"a": (4, 5)})
