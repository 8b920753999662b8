import datetime
import os

import pytest
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from gossamer import Sparsifier
from tests import networks
from tests.corridor import NAMES, ROWS, STEPS, Walk, assert_same_bits, same_masks, sgd

RANKS = 2
TALK = ("all_reduce", "all_gather", "all_gather_object", "broadcast", "broadcast_object_list", "reduce", "send", "recv")


def refuse(*_, **__):
    raise AssertionError("gossamer talks to other ranks")


def silent(step):
    """A step during which no collective of torch.distributed may be called."""
    kept = {name: getattr(distributed, name) for name in TALK}
    for name in TALK:
        setattr(distributed, name, refuse)
    try:
        return step()
    finally:
        for name, function in kept.items():
            setattr(distributed, name, function)


def part(step, rank):
    images, labels = networks.batch(networks.mlp().double(), step)
    return images[rank::RANKS], labels[rank::RANKS]


def train_one(row, rank):
    """One method on one rank; this rank's share of every batch, and random numbers of its own."""
    torch.manual_seed(100 + rank)
    model = networks.mlp().double()
    parallel = DistributedDataParallel(model)
    optimizer = sgd(model)
    sparsifier = silent(lambda: Sparsifier(row.build(parallel), parallel, optimizer, seed=3))
    walk = Walk(model, optimizer, sparsifier)
    for step in range(STEPS):
        optimizer.zero_grad()
        images, labels = part(step, rank)
        torch.nn.functional.cross_entropy(parallel(images), labels).backward()
        torch.rand(rank + 1)  # the global streams of the ranks drift apart, as they do in practice
        silent(sparsifier.step)
        optimizer.step()
    return walk.bits()


def train_all(rank, folder):
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=RANKS,
        timeout=datetime.timedelta(seconds=60),
    )
    torch.save({row.name: train_one(row, rank) for row in ROWS}, f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each rank ended with, by method: two processes walk all rows."""
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(train_all, args=(str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_end_with_the_same_bits_and_never_talk(ranks, name):
    assert_same_bits(ranks[0][name], ranks[1][name])


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_choose_the_masks_of_one(ranks, name):
    alone = Walk.start({row.name: row for row in ROWS}[name], dtype=torch.float64, seed=3).go(0, STEPS)
    found = {weight: ranks[0][name][f"mask {weight}"] for weight in alone.sparsifier.masks}
    assert same_masks(alone.sparsifier.masks, found)
    for weight, value in alone.model.state_dict().items():
        torch.testing.assert_close(ranks[0][name][f"model {weight}"], value)
