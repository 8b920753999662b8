import math
from itertools import product

import pytest
import torch

from gossamer.core.errors import SettingError
from gossamer.core.initialize import INITIALIZERS, dense_, scaled_per_layer_, scaled_per_neuron_
from tests.layers import stream

FANS = ("in", "out", "average")
LAWS = ("normal", "uniform")
SHAPES = ((40, 60), (24, 20, 3, 3))
DENSITIES = (1.0, 0.3, 0.05)

# standard deviation of the mean of u², u of mean 0 and variance 1, over n draws: √((kurtosis - 1) / n)
SPREAD = {"normal": math.sqrt(2), "uniform": math.sqrt(0.8)}


def random_mask(shape, density):
    return torch.rand(shape, generator=stream(7)) < density


def variances(mask, which, fan):
    """The variance each live weight should have, divided by the scale, one weight at a time."""
    shape = mask.shape
    expected = torch.ones(shape)
    inputs = [int(mask[output].sum()) for output in range(shape[0])]
    outputs = [int(mask[:, channel].sum()) for channel in range(shape[1])]
    kernel = math.prod(shape[2:])
    for output, channel in product(range(shape[0]), range(shape[1])):
        live = {"in": inputs[output], "out": outputs[channel], "average": (inputs[output] + outputs[channel]) / 2}
        dense = {"in": shape[1] * kernel, "out": shape[0] * kernel, "average": (shape[0] + shape[1]) * kernel / 2}
        share = int(mask.sum()) / mask.numel()
        count = {"dense": dense[fan], "scaled_per_layer": dense[fan] * share, "scaled_per_neuron": live[fan]}[which]
        expected[output, channel] = 1 / max(count, 1)
    return expected


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("fan", FANS)
@pytest.mark.parametrize("which", INITIALIZERS)
def test_the_live_have_the_variance_of_their_fan_and_the_dead_are_zero(which, fan, law, shape, density):
    mask, weight = random_mask(shape, density), torch.full(shape, math.nan)
    INITIALIZERS[which]({"w": weight}, {"w": mask}, stream(0), scale=3.0, fan=fan, law=law)
    assert not weight[~mask].any()
    unit = (weight / (3 * variances(mask, which, fan)).sqrt())[mask].double()
    assert abs(float((unit**2).mean()) - 1) < 5 * SPREAD[law] / math.sqrt(len(unit))
    assert abs(float(unit.mean())) < 5 / math.sqrt(len(unit))
    if law == "uniform":
        assert float(unit.abs().max()) <= math.sqrt(3) * (1 + 1e-6)
    else:
        assert float(unit.abs().max()) > math.sqrt(3)  # not truncated


def test_each_neuron_has_the_variance_2_over_its_own_live_inputs():
    shape = (20, 4000)
    mask = torch.zeros(shape, dtype=torch.bool)
    for neuron in range(20):
        mask[neuron, : 200 * (neuron + 1)] = True
    weight = torch.empty(shape)
    scaled_per_neuron_({"w": weight}, {"w": mask}, stream(0))
    for neuron in range(20):
        inputs = 200 * (neuron + 1)
        relative = float((weight[neuron] ** 2).sum()) / inputs / (2 / inputs)
        assert abs(relative - 1) < 5 * math.sqrt(2 / inputs)


def test_the_variance_of_a_sparse_neurons_output_equals_that_of_a_dense_one():
    signals = torch.randn(400, 3000, generator=stream(1))
    for density in (1.0, 0.1, 0.02):
        weight, mask = torch.empty(50, 3000), random_mask((50, 3000), density)
        scaled_per_neuron_({"w": weight}, {"w": mask}, stream(0), scale=1.0)
        # Σ_i w_i x_i has variance 1; 50 neurons, each with the sampling error √(2/60) of its few weights at worst
        assert abs(float((signals @ weight.T).var()) - 1) < 5 * math.sqrt(2 / 60 / 50)


def test_dense_draws_fade_with_the_density_by_comparison():
    signals = torch.randn(400, 3000, generator=stream(1))
    weight, mask = torch.empty(50, 3000), random_mask((50, 3000), 0.02)
    dense_({"w": weight}, {"w": mask}, stream(0), scale=1.0)
    assert float((signals @ weight.T).var()) < 0.04


@pytest.mark.parametrize("which", INITIALIZERS)
@pytest.mark.parametrize("fan", FANS)
@pytest.mark.parametrize("law", LAWS)
def test_dead_neurons_and_dead_layers_are_zero_and_not_nan(which, fan, law):
    mask = torch.ones(6, 5, dtype=torch.bool)
    mask[2], mask[:, 3] = False, False
    for alive in (mask, torch.zeros_like(mask)):
        weight = torch.full((6, 5), math.nan)
        INITIALIZERS[which]({"w": weight}, {"w": alive}, stream(0), fan=fan, law=law)
        assert weight.isfinite().all()
        assert int(weight.count_nonzero()) == int(alive.sum())


def test_all_three_agree_where_nothing_is_dead():
    mask = {"w": torch.ones(8, 6, 3, 3) > 0}
    drawn = []
    for initialize_ in INITIALIZERS.values():
        weight = {"w": torch.empty(8, 6, 3, 3)}
        initialize_(weight, mask, stream(0))
        drawn.append(weight["w"])
    torch.testing.assert_close(drawn[0], drawn[1])
    torch.testing.assert_close(drawn[0], drawn[2])


def test_liu_is_the_dense_draw_over_the_root_of_the_density():
    mask = {"w": random_mask((30, 40), 0.25)}
    dense, scaled = {"w": torch.empty(30, 40)}, {"w": torch.empty(30, 40)}
    dense_(dense, mask, stream(0))
    scaled_per_layer_(scaled, mask, stream(0))
    density = int(mask["w"].sum()) / 1200
    torch.testing.assert_close(scaled["w"], dense["w"] / math.sqrt(density))


@pytest.mark.parametrize("which", INITIALIZERS)
def test_the_seed_decides_and_parameters_keep_place_type_and_gradient_flag(which):
    masks = {"a": random_mask((4, 5), 0.5), "b": random_mask((3, 4), 0.5)}
    runs = []
    for seed in (0, 0, 1):
        weights = {
            "a": torch.nn.Parameter(torch.empty(4, 5, dtype=torch.bfloat16)),
            "b": torch.nn.Parameter(torch.empty(3, 4, dtype=torch.float64)),
        }
        places = {name: weight.data_ptr() for name, weight in weights.items()}
        INITIALIZERS[which](weights, masks, stream(seed))
        assert {name: weight.data_ptr() for name, weight in weights.items()} == places
        assert [weight.dtype for weight in weights.values()] == [torch.bfloat16, torch.float64]
        assert all(weight.requires_grad and weight.is_leaf for weight in weights.values())
        runs.append(weights)
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in masks)
    assert not torch.equal(runs[0]["a"], runs[2]["a"])


@pytest.mark.parametrize("which", INITIALIZERS)
def test_an_unknown_fan_or_law_is_refused(which):
    weight, mask = {"w": torch.empty(3, 3)}, {"w": torch.ones(3, 3) > 0}
    with pytest.raises(SettingError, match=r"expected fan 'in', 'out' or 'average', got 'fan_in'; He uses 'in'"):
        INITIALIZERS[which](weight, mask, stream(0), fan="fan_in")
    with pytest.raises(SettingError, match=r"expected law 'normal' or 'uniform', got 'truncated'; both have the same"):
        INITIALIZERS[which](weight, mask, stream(0), law="truncated")
