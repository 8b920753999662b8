"""Traces from random signs, against the trace."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gossamer.analyze.curvature.hessian import hessian
from gossamer.analyze.curvature.hutchinson import hessian_trace
from gossamer.core.errors import SettingError
from tests.curvature import network, random_masks, samples
from tests.reference import hessian as reference


def test_a_diagonal_hessian_is_exact_from_two_probes():
    model = nn.Linear(3, 1, bias=False)
    data = torch.diag(torch.tensor([1.0, 2.0, 3.0])), torch.zeros(3, 1)  # H = 2 · diag(1, 4, 9) / 3
    found = hessian_trace(hessian(model, F.mse_loss, data), probes=2)
    assert found.trace == pytest.approx(28 / 3)
    assert found.error == pytest.approx(0, abs=1e-6)
    assert found.layers == {"weight": (pytest.approx(28 / 3), pytest.approx(0, abs=1e-6))}


@pytest.mark.parametrize("name", ["dense", "convolutional", "unused"])
def test_within_its_error_of_the_trace_as_a_whole_and_by_layer(name):
    model = network(name)
    masks = random_masks(model)
    diagonal = reference.hessian(model, F.cross_entropy, *samples(), masks).diagonal()
    operator = hessian(model, F.cross_entropy, samples(), masks=masks, block=64)
    found = hessian_trace(operator, probes=400)
    assert abs(found.trace - float(diagonal.sum())) < 4 * found.error
    for layer, part in operator.coordinates.layers():
        trace, error = found.layers[layer]
        assert abs(trace - float(diagonal[part].sum())) <= 4 * error + 1e-12, layer
    assert sum(trace for trace, _ in found.layers.values()) == pytest.approx(found.trace)
    assert operator.products == 400


def test_the_error_is_hutchinsons():
    """Its variance is twice the sum of the squares off the diagonal, over the number of probes."""
    model = network("dense")
    matrix = reference.hessian(model, F.cross_entropy, *samples())
    off = matrix - torch.diag(matrix.diagonal())
    found = hessian_trace(hessian(model, F.cross_entropy, samples(), block=64), probes=1000)
    assert found.error == pytest.approx(float((2 * (off**2).sum() / 1000).sqrt()), rel=0.2)


def test_the_same_seed_draws_the_same_and_rows_tell_all():
    operator = hessian(network("linear"), F.cross_entropy, samples())
    first, again, other = (hessian_trace(operator, probes=5, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.rows()[0] == {"parameter": "all", "trace": first.trace, "error": first.error}
    assert [row["parameter"] for row in first.rows()] == ["all", "weight", "bias"]


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [({"probes": 1}, "expected 2 probes or more, got 1"), ({"seed": 0.5}, "as seed, got 0.5")],
)
def test_settings_out_of_range(given_settings, words):
    operator = hessian(network("linear"), F.cross_entropy, samples())
    with pytest.raises(SettingError, match=words):
        hessian_trace(operator, **given_settings)
