import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer import masks as mask_ops
from gossamer.analyze.wiring.density import density_table
from gossamer.core import distribution, rewire
from gossamer.core.errors import DataError, StateError, UnknownNameError
from tests.layers import parameters, stream
from tests.reference import density as reference
from tests.reference.erk import densities as naive_densities
from tests.reference.erk import erk_preference

SIZES = {"conv": (4, 2, 3, 3), "fc": (10, 16)}  # 72 and 160 weights


def with_live(sizes, live, seed=0):
    """Random masks with so many live weights."""
    return rewire.scatter({name: torch.empty(shape) for name, shape in sizes.items()}, live, stream(seed))


def test_two_layers_by_hand():
    masks = with_live({"a": (4, 5), "b": (4, 5)}, {"a": 16, "b": 4})
    table = density_table({"snip": masks}, ["uniform"])
    assert table.rows() == [
        {
            "masks": "snip",
            "layer": layer,
            "weights": 20,
            "live": live,
            "density": live / 20,
            "reference": "uniform",
            "reference_density": 0.5,
            "difference": pytest.approx(difference),
        }
        for layer, live, difference in (("a", 16, 0.3), ("b", 4, -0.3))
    ]
    assert table.deviations() == [
        {
            "masks": "snip",
            "reference": "uniform",
            "sparsity": 0.5,
            "moved": 0.3,  # 6 of 20
            "largest": pytest.approx(0.3),
            "layer": "a",
        }
    ]


def test_the_largest_difference_may_be_a_lack():
    masks = with_live({"a": (4, 5), "b": (2, 5)}, {"a": 18, "b": 0})
    (row,) = density_table({"mine": masks}, ["uniform"]).deviations()
    assert (row["layer"], row["largest"]) == ("b", pytest.approx(-0.6))


@given(st.integers(0, 72), st.integers(1, 160), st.sampled_from(["erk", "er", "uniform"]))
@settings(max_examples=25)
def test_the_share_that_moves_is_that_of_moving_weights_one_by_one(conv, fc, name):
    if conv + fc == 232:
        fc -= 1
    live = {"conv": conv, "fc": fc}
    masks = with_live(SIZES, live)
    table = density_table({"mine": masks}, [name])
    expected = {layer.layer: layer.expected for layer in table.layers}
    assert expected == distribution.counts(SIZES, distribution.find(name)(SIZES, mask_ops.sparsity(masks)))
    assert sum(expected.values()) == conv + fc
    assert table.deviations()[0]["moved"] == pytest.approx(reference.moved(live, expected))


@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.9])
def test_erk_is_the_default_and_erk_masks_are_at_no_distance(sparsity):
    densities = distribution.erk(SIZES, sparsity)
    table = density_table({"set": with_live(SIZES, distribution.counts(SIZES, densities))})
    assert [row["reference_density"] for row in table.rows()] == list(densities.values())
    assert [row["difference"] for row in table.rows()] == [0, 0]
    assert table.deviations()[0]["moved"] == 0
    for name, density in naive_densities(SIZES, sparsity, erk_preference).items():
        assert densities[name] == pytest.approx(density, abs=1 / 72)


def test_dense_masks_are_like_every_reference():
    masks = {name: torch.ones(shape) > 0 for name, shape in SIZES.items()}
    for row in density_table({"dense": masks}, ["erk", "er", "uniform"]).deviations():
        assert (row["sparsity"], row["moved"], row["largest"]) == (0, 0, 0)


def test_each_network_has_references_at_its_own_sparsity():
    few, many = with_live(SIZES, {"conv": 20, "fc": 3}), with_live(SIZES, {"conv": 70, "fc": 100})
    table = density_table({"few": few, "many": many}, ["erk", "uniform"])
    groups = [(row["masks"], row["reference"]) for row in table.deviations()]
    assert groups == [("few", "erk"), ("few", "uniform"), ("many", "erk"), ("many", "uniform")]
    for row in table.rows():
        if row["reference"] == "uniform":
            assert row["reference_density"] == pytest.approx(23 / 232 if row["masks"] == "few" else 170 / 232, abs=0.01)


def test_other_masks_are_a_reference_scaled_to_the_number_of_live_weights():
    masks = {"set": with_live(SIZES, {"conv": 10, "fc": 30}), "snip": with_live(SIZES, {"conv": 60, "fc": 20})}
    table = density_table(masks, ["snip"])
    assert [layer.expected for layer in table.layers] == [30, 10, 60, 20]
    assert [row["moved"] for row in table.deviations()] == [0.5, 0]


def test_rows_are_plain_numbers():
    row = density_table({"mine": with_live(SIZES, {"conv": 10, "fc": 30})}).rows()[0]
    assert {type(value) for value in row.values()} == {str, int, float}


def test_masks_of_a_network_of_many_kinds_of_layers():
    params = parameters(0)
    masks = rewire.scatter(params, {name: p.numel() // 3 for name, p in params.items()}, stream(1))
    table = density_table({"mine": masks})
    assert [row["layer"] for row in table.rows()] == list(params)
    assert sum(row["live"] for row in table.rows()) == mask_ops.live(masks)


def test_no_masks_are_refused():
    with pytest.raises(DataError, match="expected masks by a name of yours, got none; pass for instance"):
        density_table({})


def test_masks_without_live_weights_are_refused():
    with pytest.raises(StateError, match="masks with live weights, got none in 'empty'; a density needs some"):
        density_table({"empty": with_live(SIZES, {"conv": 0, "fc": 0})})


def test_an_unknown_reference_is_refused():
    with pytest.raises(UnknownNameError, match="unknown reference 'erkk'; did you mean 'erk'"):
        density_table({"mine": with_live(SIZES, {"conv": 1, "fc": 1})}, ["erkk"])


def test_a_reference_of_another_network_is_refused():
    masks = {"mine": with_live(SIZES, {"conv": 1, "fc": 1}), "other": {"a": torch.ones(2) > 0}}
    with pytest.raises(StateError, match="expected masks for exactly the selected weights"):
        density_table(masks, ["other"])
