import pytest
import torch

from gossamer import Sparsifier
from tests import networks
from tests.corridor import NAMES, ROWS, STEPS, Walk, assert_same_bits, sgd

CASES = {row.name: row for row in ROWS}


def compiled_walk(row, network):
    model = network()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    optimizer = sgd(model)
    return Walk(compiled, optimizer, Sparsifier(row.build(compiled), compiled, optimizer, seed=0)), model


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("network", [networks.mlp, networks.convnet])
def test_a_compiled_model_is_compiled_once_and_trains_the_same(name, network):
    torch._dynamo.reset()
    walk, model = compiled_walk(CASES[name], network)
    with torch._dynamo.config.patch(error_on_recompile=True):
        walk.go(0, STEPS)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    plain = Walk.start(CASES[name], network).go(0, STEPS)
    assert_same_bits(plain.bits(), Walk(model, walk.optimizer, walk.sparsifier).bits())


@pytest.fixture(autouse=True)
def _count_from_zero():
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()
