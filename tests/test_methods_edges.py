"""Networks and sparsities at the edge of what is possible, for every method of the table."""

import pytest
import torch

from gossamer import METHODS, Static
from gossamer.core.distribution import live_weights
from gossamer.core.masks import live
from gossamer.core.named import shapes
from gossamer.methods.tickets import prune
from tests.layers import parameters, stream, walk

MOVING = sorted(name for name in METHODS if name != "static")
CASES = [
    (name, settings)
    for name in MOVING
    for settings in ({}, {"scope": "layer"}, {"grow_by": "gradient"}, {"grow_by": "random"}, {"drop_by": "magnitude"})
    if all(hasattr(METHODS[name], key) for key in settings)
]
LABELS = [f"{name}-{','.join(settings.values()) or 'default'}" for name, settings in CASES]


def build(name, settings, **more):
    return METHODS[name](**settings, **more)


def assert_exact_at_every_step(method, params, seed=0):
    for step, masks in walk(method, params, seed):
        assert list(masks) == list(params)
        assert all(mask.dtype == torch.bool and mask.shape == params[name].shape for name, mask in masks.items())
        assert live(masks) == live_weights(shapes(params), method.target(step)), step
    assert live(masks) == live_weights(shapes(params), method.sparsity)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
@pytest.mark.parametrize("total_steps", [2, 3, 17, 60])
def test_sparsity_0_stays_dense_throughout(name, settings, total_steps):
    params = parameters(0)
    for _, masks in walk(build(name, settings, sparsity=0.0, total_steps=total_steps), params):
        assert all(mask.all() for mask in masks.values())


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
@pytest.mark.parametrize("shapes_", [((50, 40), (30, 50), (7, 3)), ((7, 5), (4, 3, 3, 3))], ids=["4 live", "none"])
def test_sparsity_999_of_a_thousand_is_exact(name, settings, shapes_):
    assert_exact_at_every_step(build(name, settings, sparsity=0.999, total_steps=60), parameters(0, shapes_))


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 7), (3, 2, 3, 3)], ids=str)
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9])
def test_a_network_of_one_layer_and_a_layer_of_one_weight(name, settings, shape, sparsity):
    for total_steps in (2, 11):
        method = build(name, settings, sparsity=sparsity, total_steps=total_steps)
        assert_exact_at_every_step(method, parameters(0, (shape,)))


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
def test_a_layer_of_one_weight_among_large_ones_lives_at_the_start(name, settings):
    method, params = build(name, settings, sparsity=0.9, total_steps=40), parameters(0, ((1, 1), (30, 40)))
    assert method.masks(params, stream(0))["0.weight"].all()
    assert_exact_at_every_step(method, params)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_weights_of_other_precision_where_many_magnitudes_are_equal(name, settings, dtype):
    method = build(name, settings, sparsity=0.8, total_steps=30)
    params = {name: torch.nn.Parameter(weight.detach().to(dtype)) for name, weight in parameters(0).items()}
    assert_exact_at_every_step(method, params)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
def test_weights_and_gradients_all_zero_at_every_step(name, settings):
    method, draws = build(name, settings, sparsity=0.8, total_steps=30), stream(0)
    params = {name: torch.nn.Parameter(torch.zeros_like(weight)) for name, weight in parameters(0).items()}
    zeros = {name: torch.zeros_like(weight) for name, weight in params.items()}
    masks = method.masks(params, draws)
    for step in range(30):
        if method.due(step):
            masks = method.rewire(step, masks, params, zeros, draws)
        assert live(masks) == live_weights(shapes(params), method.target(step))


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
def test_masks_handed_in_are_never_changed_in_place(name, settings):
    method, params = build(name, settings, sparsity=0.8, total_steps=30), parameters(0)
    masks = method.masks(params, stream(0))
    before = {key: mask.clone() for key, mask in masks.items()}
    grads = {key: torch.randn(weight.shape, generator=stream(1)) for key, weight in params.items()}
    method.rewire(29, masks, params, grads, stream(2))
    assert all(torch.equal(masks[key], before[key]) for key in masks)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=LABELS)
def test_step_0_is_never_due_and_the_promise_changes_only_where_the_method_is_due(name, settings):
    for total_steps in (2, 9, 100, 1001):
        method = build(name, settings, sparsity=0.9, total_steps=total_steps)
        assert not method.due(0)
        changes = {step for step in range(1, total_steps) if method.target(step) != method.target(step - 1)}
        assert changes <= {step for step in range(total_steps) if method.due(step)}
        assert method.target(total_steps - 1) == 0.9


def test_static_masks_of_an_empty_and_of_a_full_layer_are_kept():
    params = parameters(0, ((3, 3), (2, 2)))
    given = {"0.weight": torch.zeros(3, 3) > 0, "1.weight": torch.ones(2, 2) > 0}
    assert [int(mask.sum()) for mask in Static(given).masks(params, stream(0)).values()] == [0, 4]


@pytest.mark.parametrize("budget", ["global", "uniform", "er", "erk"])
@pytest.mark.parametrize("keep", [0.8917107809179499, 0.9792902341782929, 0.9890686706141678])
def test_pruning_a_little_again_and_again_never_asks_a_layer_for_more_than_it_has(budget, keep):
    # shares of a shrinking budget, rounded to whole weights, can rise by one
    for network in (
        ((3, 1), (5, 5), (4, 9)),
        ((4, 7), (1, 6), (6, 3)),
        ((7, 8), (1, 6), (8, 6), (1, 6), (8, 6), (8, 2)),
    ):
        params, masks = parameters(0, network), None
        for time in range(1, 8):
            pruned = prune(params, 1 - keep**time, stream(0), budget=budget, candidates=masks)
            assert live(pruned) == live_weights(shapes(params), 1 - keep**time)
            assert masks is None or not any((pruned[name] & ~masks[name]).any() for name in params)
            masks = pruned
