import pytest
import torch
from torch import nn

from gossamer import SET, Deviations, RigL, Sparsifier, Static, Uniform, masks
from gossamer.core.distribution import explicit
from gossamer.core.masks import density
from gossamer.core.rewire import scatter
from tests import networks
from tests.corridor import STEPS, Row, Walk, sgd

RIGL = Row("rigl", "rigl", {"every": 3})


def test_report_sets_asked_beside_actual_and_says_why():
    model = networks.convnet()
    optimizer = sgd(model)
    method = RigL(sparsity=0.5, total_steps=STEPS, every=3, dense=("0.weight",))
    walk = Walk(model, optimizer, Sparsifier(method, model, optimizer)).go(0, 5)
    report = walk.sparsifier.report()
    rows = {row.name: row for row in report.rows}
    assert rows["0.weight"].why == "kept dense, as asked"
    assert rows["3.weight"].why == "dense: depthwise convolutions are left out"
    assert rows["4.weight"].why == "erk density, places by RigL"
    assert report.asked == report.live == sum(rows[name].live for name in walk.sparsifier.masks) == 528
    assert report.total == 144 + 432 + 480
    assert report.parameters == sum(p.numel() for p in model.parameters())
    assert report.parameters - report.nonzero == 528
    for name, mask in walk.sparsifier.masks.items():
        assert (rows[name].live, rows[name].total) == (int(mask.sum()), mask.numel())
        assert rows[name].density == density(walk.sparsifier.masks)[name]
    assert "asked 528 live weights, actual 528 of 1,056: sparsity 0.500000 (of all" in str(report)
    assert all(row.name in str(report) and row.why in str(report) for row in report.rows)


def test_report_keeps_the_densities_of_the_start():
    walk = Walk.start(Row("gmp", "gmp", {"every": 3}))
    assert {row.why for row in walk.sparsifier.report().rows} == {"dense: uniform gives it density 1"}
    report = walk.go(0, STEPS).sparsifier.report()
    assert {row.start for row in report.rows} == {1.0}
    assert report.asked == report.live == 109


def test_report_says_what_is_not_selected_and_what_promises_nothing():
    model = networks.mlp()
    optimizer = sgd(model)
    given = {"0.weight": torch.rand(16, 8) < 0.5}
    report = Sparsifier(Static(given), model, optimizer, where=given).report()
    assert [row.why for row in report.rows] == ["given"] + ["dense: not selected"] * 2
    assert report.asked is None
    assert "no number was asked for, actual" in str(report)


def test_report_names_layers_that_the_distribution_leaves_dense():
    model = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 2))
    report = Sparsifier(RigL(sparsity=0.9, total_steps=100), model, sgd(model)).report()
    assert [row.why for row in report.rows] == ["erk density, places by RigL", "dense: erk gives it density 1"]


def test_bernoulli_starts_promise_no_number_but_come_near_it():
    model = nn.Linear(300, 100)
    method = SET(sparsity=0.9, total_steps=100, deviations=Deviations(bernoulli=True))
    sparsifier = Sparsifier(method, model, sgd(model))
    assert sparsifier.report().asked is None
    assert sparsifier.report().live != 3000
    assert sparsifier.report().live == pytest.approx(3000, abs=250)  # 5 standard deviations of √(30 000 · .1 · .9) = 52


def test_another_distribution_by_hand_goes_through_static():
    model = networks.mlp()
    sizes = {"0.weight": (16, 8), "2.weight": (9, 16), "4.weight": (10, 9)}
    shares = explicit(sizes, 0.5, densities={"0.weight": 0.25, "2.weight": 0.5, "4.weight": 77 / 90})
    params = {name: model.get_parameter(name) for name in sizes}
    live = {name: round(shares[name] * weight.numel()) for name, weight in params.items()}
    given = scatter(params, live, torch.Generator().manual_seed(0))
    sparsifier = Sparsifier(Static(given), model, sgd(model))
    assert masks.live(sparsifier.masks) == 181


def test_uniform_gives_every_layer_its_share():
    model = networks.mlp()
    sparsifier = Sparsifier(Uniform(sparsity=0.5), model, sgd(model))
    assert masks.density(sparsifier.masks) == {"0.weight": 0.5, "2.weight": 0.5, "4.weight": 0.5}
