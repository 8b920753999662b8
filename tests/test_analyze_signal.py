import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossamer.analyze.flow.moments import Moments
from gossamer.analyze.flow.propagation import Measure, Propagation
from gossamer.analyze.flow.signal import P3_SPARSITIES, signal_propagation
from gossamer.analyze.flow.start import P3_STARTS, Start
from gossamer.core import distribution, rewire
from gossamer.core import masks as mask_ops
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.core.named import select, shapes
from tests import networks
from tests.layers import stream
from tests.reference import signal as reference

IMAGES = torch.randn(30, 2, 8, 8, generator=torch.Generator().manual_seed(0))
ONE = {"scaled": Start()}


def chain(width=64, bias=False):
    return nn.Sequential(nn.Linear(8, width, bias=bias), nn.ReLU(), nn.Linear(width, 10, bias=bias))


INPUTS = torch.randn(40, 8, generator=torch.Generator().manual_seed(1))


# moments


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 9), st.sampled_from([0.0, 1e6]))
@settings(max_examples=20)
def test_moments_are_those_of_all_samples_at_once(count, channels, size, offset):
    values = torch.randn(count, channels, dtype=torch.float64) * 3 + offset
    moments = Moments()
    for part in values.split(size):
        moments.add(part)
    np.testing.assert_allclose(moments.per_channel(), np.std(values.numpy(), axis=0), rtol=1e-6, atol=1e-9)
    assert moments.overall() == pytest.approx(np.std(values.numpy()), rel=1e-6, abs=1e-9)


def test_no_samples_yet():
    moments = Moments()
    assert not moments
    moments.add(torch.ones(1, 1))
    assert moments


# starts


def test_a_start_draws_by_its_rule_and_settings():
    weights, masks = {"a": torch.empty(50, 40)}, {"a": torch.rand(50, 40, generator=stream(0)) < 0.3}
    Start(rule="scaled_per_layer", scale=1.0, fan="average", law="uniform").draw_(weights, masks, stream(1))
    limit = math.sqrt(3 / 45 / mask_ops.density(masks)["a"])  # variance 1 / mean of the fans / density
    expected = (torch.rand(50, 40, generator=stream(1)) * 2 - 1) * limit * masks["a"]
    torch.testing.assert_close(weights["a"], expected)


def test_p3s_starts_are_those_of_its_notebook():
    assert {name: (start.scale, start.fan, start.law) for name, start in P3_STARTS.items()} == {
        "dense": (1.0, "average", "uniform"),
        "scaled_per_layer": (2.0, "in", "normal"),
        "scaled_per_neuron": (2.0, "in", "normal"),
    }
    assert [name == start.rule for name, start in P3_STARTS.items()] == [True] * 3
    assert (len(P3_SPARSITIES), P3_SPARSITIES[:2], P3_SPARSITIES[-1]) == (15, (0.0, 0.07), 0.98)


def test_an_unknown_rule_is_refused():
    with pytest.raises(UnknownNameError, match="unknown initializer 'scaled'; did you mean 'scaled_per_"):
        Start(rule="scaled")


@pytest.mark.parametrize("scale", [0, -1, math.nan])
def test_a_scale_is_above_zero(scale):
    with pytest.raises(SettingError, match=r"expected a scale above 0, got .*; 2 is He's, 1 Glorot's"):
        Start(scale=scale)


# propagation


def twin(model, inputs, sparsity, seed, start, share="uniform"):
    """One network by hand, all samples at once."""
    model = copy.deepcopy(model)
    params = select(model)
    densities = distribution.find(share)(shapes(params), sparsity)
    masks = rewire.scatter(params, distribution.counts(shapes(params), densities), stream(2 * seed))
    start.draw_(params, masks, stream(2 * seed + 1))
    return reference.deviations(model, inputs)


@pytest.mark.parametrize(("network", "inputs"), [("mlp", INPUTS), ("convnet", IMAGES)])
@pytest.mark.parametrize("size", [7, 1000])
def test_it_is_the_deviation_of_all_outputs(network, inputs, size):
    model = getattr(networks, network)()
    found = signal_propagation(model, inputs, [0.0, 0.6, 0.9], seeds=[3, 5], distribution="erk", batch_size=size)
    assert [(one.start, one.sparsity, one.seed) for one in found.measures] == [
        (name, sparsity, seed) for seed in (3, 5) for sparsity in (0.0, 0.6, 0.9) for name in P3_STARTS
    ]
    for one in found.measures:
        output, per_output = twin(model, inputs, one.sparsity, one.seed, P3_STARTS[one.start], "erk")
        assert one.output == pytest.approx(output, rel=1e-4)
        assert one.per_output == pytest.approx(per_output, rel=1e-4)


def test_a_linear_neuron_by_hand():
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.bias.fill_(5)
    inputs = torch.tensor([[1.0], [3.0]])  # deviation 1, whatever the bias
    (one,) = signal_propagation(model, inputs, [0.0], starts=ONE, seeds=[0]).measures
    expected = copy.deepcopy(model)
    Start().draw_(select(expected), {"weight": torch.ones(1, 1) > 0}, stream(1))
    assert one.output == one.per_output == pytest.approx(abs(expected.weight.item()))
    assert one.layers == {"weight": one.output}


def test_outputs_that_differ_but_do_not_depend_on_the_input_carry_no_signal():
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.bias.copy_(torch.tensor([1.0, 3.0]))
    inputs = torch.ones(5, 4)
    (one,) = signal_propagation(model, inputs * 0, [0.5], starts=ONE, seeds=[0]).measures
    assert one.output == 1
    assert one.per_output == 0


def test_layers_have_the_deviation_of_their_outputs_before_the_activation():
    model = networks.convnet()
    (one,) = signal_propagation(model, IMAGES, [0.5], starts=ONE, seeds=[0], batch_size=8).measures
    params = select(model)
    assert list(one.layers) == list(params)
    expected = copy.deepcopy(model).eval()
    chosen = select(expected)
    sizes = shapes(chosen)
    masks = rewire.scatter(chosen, distribution.counts(sizes, distribution.uniform(sizes, 0.5)), stream(0))
    Start().draw_(chosen, masks, stream(1))
    with torch.no_grad():
        assert one.layers["0.weight"] == pytest.approx(float(expected[0](IMAGES).std(correction=0)), rel=1e-5)
        assert one.layers["4.weight"] == pytest.approx(float(expected[:5](IMAGES).std(correction=0)), rel=1e-5)
    assert one.layers["7.weight"] == one.output


def test_layers_that_are_called_twice_or_never():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.twice, self.never = nn.Linear(8, 8, bias=False), nn.Linear(8, 8)

        def forward(self, inputs):
            return self.twice(self.twice(inputs))

    (one,) = signal_propagation(Odd(), INPUTS, [0.5], starts=ONE, seeds=[0]).measures
    assert list(one.layers) == ["twice.weight"]
    assert one.layers["twice.weight"] != one.output


def test_tied_words_propagate():
    words = torch.randint(10, (20,), generator=stream(0))
    found = signal_propagation(networks.tied(), words, [0.5], starts=ONE, seeds=[0])
    assert set(found.measures[0].layers) == {"read.weight", "mix.weight"}


def test_what_p3_found_in_small():
    found = signal_propagation(
        lambda: nn.Sequential(*[part for _ in range(4) for part in (nn.Linear(100, 100, bias=False), nn.ReLU())][:-1]),
        torch.randn(50, 100, generator=stream(0)),
        [0.0, 0.9],
        seeds=range(5),
    )
    output = {(row["start"], row["sparsity"]): row["output"] for row in found.rows()}
    assert output["dense", 0.9] < output["dense", 0.0] / 30  # √0.1 a layer
    for name in ("scaled_per_layer", "scaled_per_neuron"):
        assert 0.5 < output[name, 0.9] / output[name, 0.0] < 2


def test_all_starts_have_the_same_masks_and_numbers():
    starts = {"one": Start(), "again": Start(), "larger": Start(scale=8.0)}
    one, again, larger = signal_propagation(
        nn.Linear(8, 4, bias=False), INPUTS, [0.5], starts=starts, seeds=[0]
    ).measures
    assert one.output == again.output
    assert larger.output == pytest.approx(2 * one.output)


def test_seeds_differ_and_repeat():
    found = signal_propagation(chain(), INPUTS, [0.5], starts=ONE, seeds=[0, 1, 0]).measures
    assert found[0].output == found[2].output != found[1].output


def test_a_network_is_copied_and_random_state_left_as_found():
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 4))
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    first = signal_propagation(model, INPUTS, [0.5], seeds=[0])
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert not model[0]._forward_hooks
    assert torch.equal(torch.get_rng_state(), random)
    assert signal_propagation(model, INPUTS, [0.5], seeds=[0]) == first


def test_a_function_builds_a_network_a_seed_and_random_state_is_left_as_found():
    built = []

    def make():
        built.append(chain(bias=True))
        return built[-1]

    random = torch.get_rng_state()
    first = signal_propagation(make, INPUTS, [0.5, 0.9], seeds=[0, 1])
    assert torch.equal(torch.get_rng_state(), random)
    assert len(built) == 2
    assert not torch.equal(built[0][0].bias, built[1][0].bias)
    torch.randn(3)
    assert signal_propagation(make, INPUTS, [0.5, 0.9], seeds=[0, 1]) == first


@pytest.mark.parametrize("shape", [(6, 8), (2, 3, 8), (1, 8, 3, 2)])
def test_outputs_of_any_shape_have_channels(shape):
    model = nn.Conv2d(8, 4, 1) if len(shape) == 4 else nn.Linear(8, 4)
    inputs = torch.randn(5, *shape[1:], generator=stream(0))
    (one,) = signal_propagation(model, inputs, [0.5], starts=ONE, seeds=[0], batch_size=2).measures

    class Flat(nn.Module):  # places as samples
        def forward(self, inputs):
            return (inputs.movedim(1, -1) if len(shape) == 4 else inputs).reshape(-1, 4)

    output, per_output = twin(nn.Sequential(model, Flat()), inputs, 0.5, 0, Start())
    assert (one.output, one.per_output) == (pytest.approx(output, rel=1e-5), pytest.approx(per_output, rel=1e-5))


def test_where_narrows_what_is_drawn():
    model = chain(bias=True)
    found = signal_propagation(model, INPUTS, [0.5], starts=ONE, seeds=[0], where=["2.weight"])
    assert list(found.measures[0].layers) == ["2.weight"]


def test_tables_are_means_over_seeds():
    found = Propagation(
        (
            Measure("dense", 0.5, 0, 1.0, 0.5, {"a": 2.0, "b": 1.0}),
            Measure("dense", 0.9, 0, 4.0, 0.0, {"a": 0.0, "b": 4.0}),
            Measure("dense", 0.5, 1, 3.0, 0.5, {"a": 4.0, "b": 3.0}),
        )
    )
    first, second = found.rows()
    assert first == {
        "start": "dense",
        "sparsity": 0.5,
        "seeds": 2,
        "output": 2.0,
        "output_deviation": pytest.approx(2**0.5),
        "per_output": 0.5,
        "per_output_deviation": 0.0,
    }
    assert (second["seeds"], second["output"], second["output_deviation"]) == (1, 4.0, None)
    assert [(row["sparsity"], row["layer"], row["output"]) for row in found.layer_rows()] == [
        (0.5, "a", 3.0),
        (0.5, "b", 2.0),
        (0.9, "a", 0.0),
        (0.9, "b", 4.0),
    ]


def test_a_layer_that_only_some_seeds_call_has_the_mean_of_those():
    found = Propagation(
        (Measure("a", 0.5, 0, 1.0, 1.0, {"x": 2.0}), Measure("a", 0.5, 1, 1.0, 1.0, {"x": 4.0, "y": 1.0}))
    )
    assert [(row["layer"], row["output"]) for row in found.layer_rows()] == [("x", 3.0), ("y", 1.0)]


@pytest.mark.parametrize("inputs", [torch.ones(1, 8), torch.tensor(1.0), torch.ones(0, 8)])
def test_one_sample_has_no_deviation(inputs):
    with pytest.raises(
        DataError, match=r"expected at least 2 samples \(N, ...\), got shape \(.*\); one has no deviation"
    ):
        signal_propagation(chain(), inputs, [0.5])


def test_inputs_are_a_tensor():
    with pytest.raises(DataError, match=r"expected inputs as a tensor, got ndarray; pass torch\.from_numpy"):
        signal_propagation(chain(), INPUTS.numpy(), [0.5])


@pytest.mark.parametrize(
    ("options", "what"), [({"sparsities": []}, "sparsity"), ({"starts": {}}, "start"), ({"seeds": []}, "seed")]
)
def test_nothing_to_measure_is_refused(options, what):
    with pytest.raises(SettingError, match=f"expected at least one {what}, got none; leave it out for P3's"):
        signal_propagation(chain(), INPUTS, **options)


def test_sparsities_and_seeds_are_in_their_range():
    with pytest.raises(SettingError, match=r"expected a sparsity in \[0, 1\), the share of zeros, got 1"):
        signal_propagation(chain(), INPUTS, [0.5, 1.0])
    with pytest.raises(SettingError, match="a whole number of 0 or more as seed, got -1"):
        signal_propagation(chain(), INPUTS, [0.5], seeds=[-1])


@pytest.mark.parametrize("size", [0, 2.5])
def test_a_batch_size_is_a_whole_number(size):
    with pytest.raises(SettingError, match=r"expected a whole batch_size ≥ 1, got .*; it bounds the memory"):
        signal_propagation(chain(), INPUTS, [0.5], batch_size=size)


def test_an_unknown_distribution_is_refused():
    with pytest.raises(UnknownNameError, match="unknown distribution 'erkk'; did you mean 'erk'"):
        signal_propagation(chain(), INPUTS, [0.5], distribution="erkk")


def test_a_function_that_builds_no_network_is_refused():
    with pytest.raises(SettingError, match="expected a function that builds a network, it gave int; return one"):
        signal_propagation(lambda: 3, INPUTS, [0.5])


def test_outputs_that_are_no_tensor_are_refused():
    class Two(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs), inputs

    with pytest.raises(
        DataError, match="expected one tensor from the model, got tuple; wrap it in a module that gives"
    ):
        signal_propagation(Two(8, 2), INPUTS, [0.5])


def test_outputs_that_are_not_finite_are_refused():
    with pytest.raises(StateError, match="expected finite outputs, got infinite ones or NaN; check inputs and scale"):
        signal_propagation(nn.Linear(1, 1), torch.tensor([[math.inf], [1.0]]), [0.0])
