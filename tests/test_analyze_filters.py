"""Power spectra of filters against sums over their weights."""

import json
from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.analyze.frequency.filters import filter_spectra
from gossamer.core.errors import SettingError, StateError, UnknownNameError
from tests.pictures import left_as_found, network
from tests.reference.filters import power


def convolution(weight):
    weight = torch.as_tensor(weight, dtype=torch.float32)
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


@pytest.mark.parametrize("size", [3, 4, 7, 8])
def test_spectra_are_sums_over_the_weights(size):
    weight = torch.rand(4, 2, 3, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    found = filter_spectra(convolution(weight), size=size)
    for kernels, spectrum in zip(weight, found.power, strict=True):
        expected = sum(torch.tensor(power(kernel.tolist(), size), dtype=torch.float64) for kernel in kernels) / 2
        assert torch.allclose(spectrum, expected, atol=1e-6)
    assert torch.allclose(found.mean, found.power.sum(0) / 4)
    assert torch.allclose(found.energy, weight.double().square().sum((2, 3)).mean(1), atol=1e-6)


def test_a_single_weight_is_flat_a_mean_is_low_and_a_checkerboard_high():
    single, mean, board = torch.zeros(2, 2), torch.ones(2, 2), torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    single[1, 0] = 3
    found = filter_spectra(convolution(torch.stack([single, mean, board]).unsqueeze(1)), size=16)
    flat, low, high = found.high_share.tolist()
    assert flat == pytest.approx(found.flat_share)
    assert low < 0.6 * flat
    assert high > 0.97
    assert torch.allclose(found.power[0], torch.tensor(9.0).double())
    assert found.profile()[0] == pytest.approx(float(found.mean[8, 8]))
    weights = found.energy / found.energy.sum()
    assert found.mean_high_share == pytest.approx(float((found.high_share * weights).sum()))


@pytest.mark.parametrize(("size", "high"), [(1, 0), (2, 3), (4, 16 - 5), (8, 64 - 13)])
def test_high_frequencies_are_those_beyond_a_quarter_of_a_cycle_per_pixel(size, high):
    """At 4 all but the centre and its four neighbours, at 8 all but the 13 within a distance of 2."""
    assert filter_spectra(convolution([[[[1.0]]]]), size=size).flat_share == high / size**2


def test_dead_weights_are_zeros_and_dead_filters_have_no_share():
    layer = convolution(torch.rand(3, 2, 3, 3))
    mask = torch.rand(3, 2, 3, 3) > 0.5
    mask[1] = False
    mask[0, 0, 0, 0] = True
    sparse = deepcopy(layer)
    with torch.no_grad():
        sparse.weight.mul_(mask)
    by_mask, by_zeros = filter_spectra(layer, masks={"weight": mask}), filter_spectra(sparse)
    assert torch.equal(by_mask.power, by_zeros.power)
    assert by_mask.live.tolist() == by_zeros.live.tolist() == mask.flatten(1).sum(1).tolist()
    assert torch.isnan(by_mask.high_share).tolist() == [False, True, False]
    rows = by_mask.rows()
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[1] == {"layer": "", "filter": 1, "live": 0, "energy": 0.0, "high_share": None}


def test_a_newborn_weight_is_alive_although_it_is_zero():
    masks = {"weight": torch.ones(1, 1, 2, 2) > 0}
    assert filter_spectra(convolution(torch.zeros(1, 1, 2, 2)), masks=masks).live.tolist() == [4]


def test_the_first_convolution_or_the_one_that_is_named():
    model = nn.Sequential(nn.Flatten(0, 1), nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.Conv2d(2, 5, 1))
    assert filter_spectra(model).layer == "1.0"
    assert len(filter_spectra(model, layer="2").power) == 5
    assert filter_spectra(nn.DataParallel(model)).layer == "1.0"
    live = filter_spectra(model, masks={"1.0.weight": torch.zeros(2, 1, 3, 3) > 0, "2.weight": None}).live
    assert live.tolist() == [0, 0]


def test_half_precision_and_the_model_stay():
    model = network()
    with left_as_found(model):
        filter_spectra(model)
    layer = convolution(torch.rand(3, 2, 3, 3))
    assert torch.allclose(filter_spectra(deepcopy(layer).half()).power, filter_spectra(layer).power, atol=0.1)


def test_what_is_refused():
    model = network()
    with pytest.raises(SettingError, match="expected a model with a two-dimensional convolution, got none"):
        filter_spectra(nn.Linear(3, 2))
    with pytest.raises(UnknownNameError, match="unknown layer '00'; did you mean '0'"):
        filter_spectra(model, layer="00")
    with pytest.raises(SettingError, match=r"expected a two-dimensional convolution, got '6', a Linear; take one of"):
        filter_spectra(model, layer="6")
    with pytest.raises(StateError, match=r"expected a mask of shape \(4, 2, 3, 3\) for '0.weight'"):
        filter_spectra(model, masks={"0.weight": torch.ones(4, 2, 3) > 0})


@pytest.mark.parametrize("size", [2, 3.5])
def test_a_size_that_kernels_do_not_fit_in(size):
    with pytest.raises(SettingError, match="expected a size of 3 or more, that the kernels fit in"):
        filter_spectra(network(), size=size)


@pytest.mark.parametrize("cutoff", [0, 1.5, float("nan")])
def test_a_cutoff_outside_of_the_plane(cutoff):
    with pytest.raises(SettingError, match="expected a cutoff between 0 and √2"):
        filter_spectra(network(), cutoff=cutoff)
