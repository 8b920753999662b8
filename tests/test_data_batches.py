import numpy as np
import pytest
import torch

from gossamer.bench.data import batches, hold_out, seeded, subset
from gossamer.core.errors import SettingError


@pytest.mark.parametrize(("count", "size"), [(10, 3), (12, 4), (5, 8), (1, 1)])
def test_an_epoch_visits_every_image_once(count, size):
    pieces = list(batches(count, size, seed=0, epoch=0))
    assert sorted(torch.cat(pieces).tolist()) == list(range(count))
    assert [len(piece) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)


def test_any_step_can_be_re_entered():
    whole = list(batches(100, 7, seed=3, epoch=2))
    for start in (0, 1, 9, len(whole) - 1, len(whole), len(whole) + 5):
        rest = list(batches(100, 7, seed=3, epoch=2, start=start))
        assert [piece.tolist() for piece in rest] == [piece.tolist() for piece in whole[start:]]


def test_order_depends_on_seed_and_epoch_and_on_nothing_else():
    def order(seed, epoch):
        return next(batches(50, 50, seed=seed, epoch=epoch)).tolist()

    torch.manual_seed(0)
    first = order(0, 1)
    torch.manual_seed(1)
    assert order(0, 1) == first
    assert len({tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_drop_last_leaves_out_the_smaller_batch():
    assert [len(piece) for piece in batches(10, 4, seed=0, epoch=0, drop_last=True)] == [4, 4]
    assert [len(piece) for piece in batches(8, 4, seed=0, epoch=0, drop_last=True)] == [4, 4]
    with pytest.raises(SettingError, match="drop_last leaves no batch: 3 images, batch size 4; lower the batch size"):
        batches(3, 4, seed=0, epoch=0, drop_last=True)


@pytest.mark.parametrize(("count", "size", "start"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_sizes_below_1_are_refused(count, size, start):
    with pytest.raises(SettingError, match="expected count >= 1, batch_size >= 1 and start >= 0, got"):
        batches(count, size, seed=0, epoch=0, start=start)


def test_seeds_do_not_run_together():
    draws = {torch.rand(4, generator=seeded(*words)).sum().item() for words in [(), (0,), (0, 0), (0, 1), (1, 0), (1,)]}
    assert len(draws) == 6
    with pytest.raises(SettingError, match="expected seeds of 0 or more, got"):
        seeded(0, -1)


def test_the_subset_is_the_one_of_the_released_code():
    drawn = np.random.RandomState(12345).choice(45_000, int(45_000 * 0.3), replace=False)
    chosen = subset(45_000, 0.3)
    assert set(chosen.tolist()) == set(drawn.tolist())
    assert chosen.tolist() == sorted(chosen.tolist())
    assert len(chosen) == 13_500


@pytest.mark.parametrize("share", [0.0, 1.1, 0.01, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(SettingError, match=r"expected a share in \(0, 1\] that leaves at least one of 50 images"):
        subset(50, share)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_hold_out_parts_the_images(seed):
    kept, held = hold_out(20, 6, seed=seed)
    assert (len(kept), len(held)) == (14, 6)
    assert sorted(kept.tolist() + held.tolist()) == list(range(20))
    assert (held.tolist() == list(range(14, 20))) == (seed is None)


@pytest.mark.parametrize("held", [0, 20, 21])
def test_hold_out_refuses_to_leave_a_part_empty(held):
    with pytest.raises(SettingError, match=r"expected to hold out 1 to 19 of 20 images, got"):
        hold_out(20, held, seed=0)
