import pytest
import torch
from torch import Tensor, nn

from gossamer.analyze.landscape.batch_norm import batch_statistics, reestimate_batch_norm_, reestimated
from gossamer.analyze.landscape.states import state_of
from gossamer.analyze.passes import Passes
from gossamer.core.errors import DataError
from tests import networks
from tests.reference import landscape as reference

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Detour(nn.Module):
    """A layer that the forward pass does not use, batch norm without statistics, dropout, and another momentum."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, momentum=0.3)
        self.unused = nn.BatchNorm1d(4)
        self.unused.running_mean.fill_(7.0)
        self.stateless = nn.BatchNorm1d(4, track_running_stats=False)
        self.drop = nn.Dropout(0.5)
        self.last = nn.BatchNorm1d(4)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.drop(self.stateless(self.norm(inputs))))


def data(count: int = 12, width: int = 4) -> tuple[Tensor, Tensor]:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0)) * 3 + 1, torch.zeros(count)


def images(count: int = 24) -> tuple[Tensor, Tensor]:
    return networks.batch(networks.convnet(), 0, count)


def test_statistics_are_those_of_a_plain_loop_over_equal_batches():
    model, (inputs, labels) = networks.convnet(), images()
    batches = list(zip(inputs.split(8), labels.split(8), strict=True))
    expected = reference.batch_norm(model, batches)
    reestimate_batch_norm_(model, batches)
    for name in STATISTICS:
        torch.testing.assert_close(getattr(model[1], name), getattr(expected[1], name))


def test_a_smaller_last_batch_counts_by_its_samples():
    model, (inputs, labels) = nn.BatchNorm1d(4), data(10)
    reestimate_batch_norm_(model, (inputs, labels), batch_size=8)
    torch.testing.assert_close(model.running_mean, inputs.mean(0))
    expected = 0.8 * inputs[:8].var(0) + 0.2 * inputs[8:].var(0)
    torch.testing.assert_close(model.running_var, expected)
    assert int(model.num_batches_tracked) == 2


def test_what_was_there_before_does_not_matter_and_once_more_changes_nothing():
    first, second = networks.convnet(), networks.convnet()
    second[1].running_mean.fill_(1e6)
    second[1].running_var.fill_(1e6)
    for _ in range(2):
        reestimate_batch_norm_(first, images())
    reestimate_batch_norm_(second, images())
    assert all(torch.equal(first.state_dict()[name], tensor) for name, tensor in second.state_dict().items())


def test_dropout_is_off_and_layers_that_are_not_used_keep_their_statistics():
    model, (inputs, labels) = Detour(), data()
    reestimate_batch_norm_(model, (inputs, labels))
    standardized = (inputs - inputs.mean(0)) / (inputs.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(model.last.running_var, standardized.var(0), rtol=1e-3, atol=0)  # of two such layers
    assert model.unused.running_mean.tolist() == [7.0] * 4
    assert int(model.unused.num_batches_tracked) == 0


def test_modes_momenta_gradients_weights_and_random_state_are_left_as_found():
    model = Detour()
    model.norm.eval()
    model.norm.weight.grad = torch.ones(4)
    weights = {name: param.clone() for name, param in model.named_parameters()}
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    reestimate_batch_norm_(model, data())
    assert [module.training for module in model.modules()] == modes
    assert (model.norm.momentum, model.last.momentum) == (0.3, 0.1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(param, weights[name]) for name, param in model.named_parameters())
    assert model.norm.weight.grad.tolist() == [1.0] * 4
    assert model.last.weight.grad is None


def test_modes_and_momenta_return_after_an_error():
    model = Detour()
    with pytest.raises(RuntimeError, match="running_mean"):
        reestimate_batch_norm_(model, data(width=3))
    assert all(module.training for module in model.modules())
    assert model.norm.momentum == 0.3


def test_a_model_without_batch_norm_is_not_run():
    class Untouchable(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            raise AssertionError("run")

    model = Untouchable(2, 2)
    state = state_of(model, model)
    assert reestimated(model, state, Passes(data())) == state


def test_a_state_is_reestimated_without_touching_the_model_or_the_state():
    model, other = networks.convnet(0), networks.convnet(1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = state_of(model, other)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    fresh = reestimated(model, state, Passes(images()))
    expected = reference.batch_norm(other, [images()]).state_dict()
    for name in expected:
        torch.testing.assert_close(fresh[name], expected[name])
        assert torch.equal(state[name], kept[name])
        assert torch.equal(model.state_dict()[name], before[name])


def test_a_wrapped_model_is_looked_through():
    model, inside = nn.DataParallel(networks.convnet()), networks.convnet()
    reestimate_batch_norm_(model, images())
    reestimate_batch_norm_(inside, images())
    assert torch.equal(model.module[1].running_mean, inside[1].running_mean)


def test_batch_statistics_leaves_frozen_layers_frozen():
    model = nn.Sequential(nn.BatchNorm1d(1), nn.BatchNorm1d(1).eval(), nn.Linear(1, 1).eval())
    with batch_statistics(model):
        assert [module.training for module in model] == [True, True, False]
    assert [module.training for module in model] == [True, False, False]


def test_a_batch_of_one_sample_is_refused():
    with pytest.raises(DataError, match=r"batches of two samples or more .* got one of 1; choose another batch_size"):
        reestimate_batch_norm_(nn.BatchNorm1d(4), data(9), batch_size=8)
