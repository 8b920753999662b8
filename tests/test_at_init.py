import math
import re
import warnings
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from gossamer import LayerCollapseWarning, Sparsifier, Static, select
from gossamer import masks as mask_ops
from gossamer.core.distribution import counts, erk, live_weights, uniform
from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.core.named import shapes
from gossamer.methods.at_init import AT_INIT, grasp, magnitude, magnitude_erk, magnitude_uniform, snip, snip_released
from gossamer.methods.at_init import synflow as synflow_masks
from gossamer.methods.at_init.data import per_class
from gossamer.methods.at_init.grasp import gradient_flow_lost
from gossamer.methods.at_init.positive import positive_copy
from gossamer.methods.at_init.snip import connection_sensitivity
from gossamer.methods.at_init.synflow import ladder, synaptic_flow
from tests.reference import grasp as grasp_reference
from tests.reference import snip as snip_reference
from tests.reference import synflow as synflow_reference

CARDS = Path(__file__).parents[1] / "docs" / "methods"
GLOBAL = ["snip", "snip_released", "grasp", "synflow", "magnitude"]


def mlp(seed=0, widths=(6, 5, 4, 3), activation=nn.Tanh, bias=True):
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=bias), activation()]
    return nn.Sequential(*layers[:-1])


def data(samples=12, inputs=6, classes=3, seed=1):
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(samples, inputs, generator=stream), torch.arange(samples) % classes


def double(batch):
    return batch[0].double(), batch[1]


class Everything(nn.Module):
    """Grouped convolutions, batch norm, dropout, tied weights, an unused layer, a frozen one, mixed modes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(2, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.one, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
        self.other.weight = self.one.weight
        self.dropout, self.unused, self.last = nn.Dropout(0.3), nn.Linear(4, 4), nn.Linear(8, 3)
        self.one.weight.requires_grad_(False)
        self.dropout.train()
        self.norm.eval()

    def forward(self, images):
        maps = self.depthwise(self.grouped(self.norm(self.first(images)).relu()).relu())
        return self.last(self.dropout(self.other(self.one(maps.mean((2, 3))).relu())))


def images():
    stream = torch.Generator().manual_seed(5)
    return torch.randn(12, 2, 6, 6, generator=stream), torch.arange(12) % 3


def snapshot(model):
    grads = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    modes = {name: module.training for name, module in model.named_modules()}
    wants = {name: p.requires_grad for name, p in model.named_parameters()}
    return deepcopy(model.state_dict()), grads, modes, wants, torch.get_rng_state()


# ---- twins


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_snip_agrees_with_switching_each_weight_by_hand(seed, activation):
    model, batch = mlp(seed, activation=activation).double(), double(data(seed=seed))
    expected = snip_reference.connection_sensitivity(model, cross_entropy, batch, list(select(model)))
    actual = connection_sensitivity(model, cross_entropy, batch)
    for name, score in expected.items():
        torch.testing.assert_close(actual[name], score, rtol=1e-5, atol=1e-8)
    assert sum(score.sum().item() for score in actual.values()) == pytest.approx(1, abs=1e-12)
    masks = snip(model, cross_entropy, batch, 0.7)
    for name, mask in snip_reference.keep(actual, round(0.3 * 62)).items():
        assert torch.equal(masks[name], mask)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_agrees_with_the_explicit_hessian(seed, temperature):
    model, batch = mlp(seed, widths=(4, 4, 3)).double(), double(data(inputs=4, seed=seed))
    expected = grasp_reference.importance(model, cross_entropy, batch, list(select(model)), temperature)
    actual = gradient_flow_lost(model, cross_entropy, batch, temperature=temperature)
    for name, score in expected.items():
        torch.testing.assert_close(actual[name], score, rtol=1e-8, atol=1e-16)
    masks = grasp(model, cross_entropy, batch, 0.6, temperature=temperature)
    for name, mask in snip_reference.keep(expected, round(0.4 * 28)).items():
        assert torch.equal(masks[name], mask)


def test_what_grasp_prunes_first_leaves_more_gradient_than_what_it_prunes_last():
    # the sign: without a weight of importance p the squared gradient norm changes by about -2 p
    model, batch = mlp().double(), double(data())
    scores = gradient_flow_lost(model, cross_entropy, batch, temperature=1.0)["0.weight"].reshape(-1)
    weight = model[0].weight

    def flow():
        grads = torch.autograd.grad(cross_entropy(model(batch[0]), batch[1]), list(select(model).values()))
        return sum(grad.square().sum().item() for grad in grads)

    before = flow()
    for place in (scores.argmax(), scores.argmin()):
        nudged = weight.data.view(-1)[place].item()
        weight.data.view(-1)[place] = nudged * (1 - 1e-6)
        assert (flow() - before) / 1e-6 == pytest.approx(-2 * scores[place].item(), rel=1e-3)
        weight.data.view(-1)[place] = nudged
    assert scores.max() > 0 > scores.min()


@pytest.mark.parametrize("seed", range(5))
def test_synflow_agrees_with_walking_all_paths(seed):
    model = mlp(seed, widths=(4, 5, 4, 3), activation=nn.Identity, bias=False)
    layers = [weight.tolist() for weight in select(model).values()]
    network, weights = positive_copy(model)
    scores = synaptic_flow(network, weights, torch.ones(1, 4, dtype=torch.float64))
    for score, expected in zip(scores.values(), synflow_reference.path_scores(layers), strict=True):
        torch.testing.assert_close(score, torch.tensor(expected, dtype=torch.float64))
    masks = synflow_masks(model, None, data(inputs=4), 0.6, rounds=7)
    actual = {(d, *at) for d, mask in enumerate(masks.values()) for at in mask.nonzero().tolist()}
    assert {(d, i, j) for d, i, j in actual} == synflow_reference.synflow(layers, 0.6, rounds=7)


def test_synflow_of_two_layers_by_hand():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))
        model[1].weight.copy_(torch.tensor([[-1.0, 2.0]]))
    network, weights = positive_copy(model)
    first, last = synaptic_flow(network, weights, torch.ones(1, 2, dtype=torch.float64)).values()
    assert first.tolist() == [[1.0, 2.0], [6.0, 1.0]]  # |w1_ij| · |w2_i|
    assert last.tolist() == [[3.0, 7.0]]  # |w2_i| · Σ_j |w1_ij|; both layers sum to R = 10
    # one round to half of 6: 7, 6 and 3 live; two rounds: 4 live (7, 6, 3, 2), then the path of 3·2 and 2·1 remain
    one = synflow_masks(model, None, data(inputs=2), 0.5, rounds=1)
    assert [mask.tolist() for mask in one.values()] == [[[False, False], [True, False]], [[True, True]]]
    two = synflow_masks(model, None, data(inputs=2), 0.5, rounds=2)
    first, last = two.values()
    assert (bool(first[1, 0]), bool(last[0, 1])) == (True, True)
    # of the other path, 2·1, both weights score 2: the seed lets one of them live
    assert (int(first.sum() + last.sum()), bool(first[0, 1]) != bool(last[0, 0])) == (3, True)


def test_synaptic_flow_is_conserved_from_layer_to_layer_whatever_biases_and_batch_norm_hold():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 3))
    for _ in range(3):
        model(torch.randn(50, 6) * 4 + 7)  # running means and variances far from 0 and 1
    network, weights = positive_copy(model)
    sums = [s.sum().item() for s in synaptic_flow(network, weights, torch.ones(1, 6, dtype=torch.float64)).values()]
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-12)
    network, weights = positive_copy(model, biases=True)
    sums = [s.sum().item() for s in synaptic_flow(network, weights, torch.ones(1, 6, dtype=torch.float64)).values()]
    assert abs(sums[0] / sums[2] - 1) > 0.1


def test_norms_without_running_statistics_pass_the_flow_on_as_fixed_scalings():
    torch.manual_seed(0)
    norms = (nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4))
    for norm in norms:
        model = nn.Sequential(nn.Conv2d(2, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
        network, weights = positive_copy(model)
        first, last = synaptic_flow(network, weights, torch.ones(1, 2, 6, 6, dtype=torch.float64)).values()
        assert first.sum().item() == pytest.approx(last.sum().item(), rel=1e-12)


# ---- magnitude


def test_magnitude_and_its_budgets_agree_with_sorting():
    model = mlp(widths=(20, 30, 40, 10))
    scores = {name: weight.detach().abs() for name, weight in select(model).items()}
    total = sum(score.numel() for score in scores.values())
    for name, mask in snip_reference.keep(scores, round(0.4 * total)).items():
        assert torch.equal(magnitude(model, None, None, 0.6)[name], mask)
    for function, distribution in ((magnitude_uniform, uniform), (magnitude_erk, erk)):
        sizes = shapes(select(model))
        budget = counts(sizes, distribution(sizes, 0.9))
        for name, mask in function(model, None, None, 0.9).items():
            assert torch.equal(mask, snip_reference.keep({name: scores[name]}, budget[name])[name])
    kept_dense = magnitude_uniform(model, None, None, 0.5, dense=["4.weight"])
    assert bool(kept_dense["4.weight"].all())
    assert mask_ops.live(kept_dense) == round(0.5 * total)


# ---- exact numbers


@settings(max_examples=25, deadline=None)
@given(sparsity=st.floats(0, 0.999), name=st.sampled_from(sorted(AT_INIT)), seed=st.integers(0, 3))
def test_live_weights_are_exact_for_any_sparsity(sparsity, name, seed):
    model = mlp(seed, widths=(6, 7, 8, 3), activation=nn.ReLU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LayerCollapseWarning)
        masks = AT_INIT[name](model, cross_entropy, data(seed=seed), sparsity, seed=seed)
    assert mask_ops.live(masks) == live_weights(shapes(select(model)), sparsity)
    mask_ops.check(masks, select(model))


@pytest.mark.parametrize("name", sorted(AT_INIT))
def test_ties_are_exact_and_decided_by_the_seed(name):
    model = nn.Sequential(nn.Linear(4, 8, bias=False), nn.Linear(8, 3, bias=False))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[1].weight)
    batch = torch.ones(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
    first, again, other = (AT_INIT[name](model, cross_entropy, batch, 0.2, seed=seed) for seed in (0, 0, 1))
    assert mask_ops.live(first) == mask_ops.live(other) == 45
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@given(st.integers(1, 5000), st.floats(0, 0.9999), st.integers(1, 150))
def test_the_ladder_never_rises_and_ends_at_its_target(total, sparsity, rounds):
    final = round((1 - sparsity) * total)
    steps = [total, *ladder(total, final, sparsity, rounds)]
    assert len(steps) == rounds + 1
    assert steps[-1] == final
    assert all(later <= earlier for earlier, later in pairwise(steps))


# ---- the model stays as it is, and the masks are accepted


@pytest.mark.filterwarnings("ignore:no live weight is left in \\['unused.weight'")  # as it should be
@pytest.mark.parametrize("name", sorted(AT_INIT))
def test_the_model_is_left_as_found_and_the_sparsifier_accepts_the_masks(name):
    model, batch = Everything(), images()
    model.last.weight.grad = torch.ones_like(model.last.weight)
    before = snapshot(model)
    masks = AT_INIT[name](model, cross_entropy, batch, 0.5, seed=2)
    state, grads, modes, wants, random = snapshot(model)
    assert all(torch.equal(before[0][key], value) for key, value in state.items())
    assert {key for key, grad in grads.items() if grad is not None} == {"last.weight"}
    assert torch.equal(grads["last.weight"], torch.ones_like(model.last.weight))
    assert (modes, wants) == before[2:4]
    assert torch.equal(random, before[4])
    assert set(masks) == {"first.weight", "grouped.weight", "one.weight", "unused.weight", "last.weight"}
    again = AT_INIT[name](model, cross_entropy, batch, 0.5, seed=2)
    assert all(torch.equal(mask, again[key]) for key, mask in masks.items())  # dropout draws from the seed
    with torch.no_grad():  # also where the caller has gradients switched off
        unlike = AT_INIT[name](model, cross_entropy, batch, 0.5, seed=2)
    assert all(torch.equal(mask, unlike[key]) for key, mask in masks.items())
    sparsifier = Sparsifier(Static(masks), model, torch.optim.SGD(model.parameters(), lr=0.1), where=masks)
    assert all(torch.equal(mask, sparsifier.masks[key]) for key, mask in masks.items())


@pytest.mark.parametrize("name", sorted(AT_INIT))
def test_where_decides_what_is_scored(name):
    model, batch = mlp(), data()
    masks = AT_INIT[name](model, cross_entropy, batch, 0.5, where=lambda _, weight: weight is not model[0].weight)
    assert {key: mask.numel() for key, mask in masks.items()} == {"2.weight": 20, "4.weight": 12}
    assert mask_ops.live(masks) == 16
    assert set(AT_INIT[name](model, cross_entropy, batch, 0.5, where=["2.weight"])) == {"2.weight"}


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_a_compiled_model_is_looked_through(name):
    model, batch = mlp(), data()
    plain = AT_INIT[name](model, cross_entropy, batch, 0.5)
    wrapped = AT_INIT[name](torch.compile(model, backend="eager"), cross_entropy, batch, 0.5)
    assert all(torch.equal(mask, wrapped[key]) for key, mask in plain.items())


def test_an_unused_layer_matters_to_nobody():
    scores = connection_sensitivity(Everything(), cross_entropy, images())
    assert not scores["unused.weight"].any()
    assert scores["one.weight"].any()  # frozen, tied: both uses count


# ---- data


def test_several_batches_count_as_one_of_all_their_samples():
    model, (inputs, labels) = mlp().double(), double(data())
    loader = [(inputs[:8], labels[:8]), [inputs[8:], labels[8:]]]
    whole = connection_sensitivity(model, cross_entropy, (inputs, labels))
    parts = connection_sensitivity(model, cross_entropy, loader, batches=2)
    first = connection_sensitivity(model, cross_entropy, iter(loader))
    for name, score in whole.items():
        torch.testing.assert_close(parts[name], score)
        assert not torch.allclose(first[name], score)


def test_a_shuffling_loader_leaves_torchs_random_state_and_follows_the_seed():
    model, loader = mlp(), DataLoader(TensorDataset(*data(64)), batch_size=8, shuffle=True)
    before = torch.get_rng_state()
    scores = [connection_sensitivity(model, cross_entropy, loader, seed=seed)["0.weight"] for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(scores[0], scores[1])
    assert not torch.allclose(scores[0], scores[2])


def test_grasp_takes_ten_samples_of_each_class_of_a_loader():
    model, (inputs, labels) = mlp().double(), double(data(90))
    labels = torch.cat([torch.zeros(50), torch.ones(30), torch.full((10,), 2.0)]).long()  # sorted and unbalanced
    taken = torch.cat([torch.arange(10), torch.arange(50, 60), torch.arange(80, 90)])
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=7)
    expected = gradient_flow_lost(model, cross_entropy, (inputs[taken], labels[taken]))
    for chunk in (256, 9):
        actual = gradient_flow_lost(model, cross_entropy, loader, chunk=chunk)
        for name, score in expected.items():
            torch.testing.assert_close(actual[name], score, rtol=1e-9, atol=0)
    plain = gradient_flow_lost(model, cross_entropy, loader, samples_per_class=None)
    first = gradient_flow_lost(model, cross_entropy, (inputs[:7], labels[:7]))
    assert all(torch.equal(plain[name], score) for name, score in first.items())


def test_a_class_with_fewer_samples_gives_all_it_has():
    inputs, labels = per_class([(torch.arange(5.0), torch.tensor([0, 0, 0, 0, 2]))], 3, 3, torch.device("cpu"))
    assert inputs.tolist() == [0.0, 4.0, 1.0, 2.0]
    assert labels.tolist() == [0, 2, 0, 0]


def test_synflow_reads_nothing_but_the_shape():
    model, (inputs, labels) = mlp(), data()
    masks = synflow_masks(model, None, (inputs, labels), 0.7)
    other = synflow_masks(model, None, (torch.full_like(inputs[:1], math.nan), labels[:1]), 0.7)
    assert all(torch.equal(mask, other[name]) for name, mask in masks.items())


# ---- P1's released SNIP


def test_released_snip_keeps_only_the_number_of_each_layer():
    model, batch = mlp(widths=(20, 30, 40, 10)), data(inputs=20, classes=10)
    kept, released = snip(model, cross_entropy, batch, 0.8), snip_released(model, cross_entropy, batch, 0.8)
    assert {n: int(m.sum()) for n, m in kept.items()} == {n: int(m.sum()) for n, m in released.items()}
    overlap = mask_ops.overlap(kept, released)
    assert all(value < 0.5 for value in overlap.values())


def test_released_snip_with_its_loss_and_its_weights():
    model, batch = mlp(widths=(20, 30, 10)), data(inputs=20, classes=10)

    def refuse(outputs, targets):
        raise AssertionError("the loss is replaced")

    settled = snip_released(model, refuse, batch, 0.8, nll_on_outputs=True)
    mean_output = snip(model, lambda outputs, t: -outputs[torch.arange(len(t)), t].mean(), batch, 0.8)
    assert {n: int(m.sum()) for n, m in settled.items()} == {n: int(m.sum()) for n, m in mean_output.items()}
    # with new weights in the copy the model's own do not count
    redrawn = [
        snip_released(deepcopy(m), cross_entropy, batch, 0.8, reinitialize=True) for m in (model, model.apply(_tenfold))
    ]
    assert all(torch.equal(mask, redrawn[1][name]) for name, mask in redrawn[0].items())


def _tenfold(module):
    if isinstance(module, nn.Linear):
        module.weight.data *= 10


def test_released_snip_with_coins_hits_the_number_only_in_the_mean():
    model, batch = mlp(widths=(20, 30, 10)), data(inputs=20, classes=10)
    live = [
        mask_ops.live(snip_released(model, cross_entropy, batch, 0.5, seed=seed, bernoulli=True)) for seed in range(30)
    ]
    assert len(set(live)) > 5
    assert sum(live) / 30 == pytest.approx(450, abs=12)  # standard error below 15 / √30 = 2.7


def test_grasp_with_new_linear_weights_keeps_the_convolutions():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    scores = [
        gradient_flow_lost(m, cross_entropy, images(), reinitialize_linear=True)
        for m in (deepcopy(model), model.apply(_tenfold))
    ]
    assert all(torch.equal(score, scores[1][name]) for name, score in scores[0].items())


# ---- collapse


def test_synflow_keeps_every_layer_of_a_deep_net_where_snip_and_magnitude_collapse():
    widths = (6, *[16] * 12, 64, 64, 3)
    model, batch = mlp(widths=widths, activation=nn.ReLU), data(64)
    alive = synflow_masks(model, None, batch, 0.99)
    assert mask_ops.live(alive) == live_weights(shapes(select(model)), 0.99)
    assert all(bool(mask.any()) for mask in alive.values())
    network = deepcopy(positive_copy(model)[0])
    mask_ops.apply_(dict(network.named_parameters()), alive)
    assert network(torch.ones(1, 6, dtype=torch.float64)).sum() > 0  # a path leads through
    with pytest.warns(LayerCollapseWarning, match=r"no live weight is left in \['0.weight'.*or set floor=1"):
        snip(model, cross_entropy, batch, 0.99)
    with pytest.warns(LayerCollapseWarning, match=r"no live weight is left in \['26.weight'"):
        magnitude(model, None, None, 0.99)


def test_synflow_may_empty_a_weak_parallel_branch_and_says_so():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.strong, self.weak, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
            self.weak.weight.data *= 1e-3

        def forward(self, inputs):
            return self.last(self.strong(inputs) + self.weak(inputs))

    torch.manual_seed(0)
    with pytest.warns(LayerCollapseWarning, match=r"no live weight is left in \['weak.weight'\]: nothing passes there"):
        masks = synflow_masks(Residual(), None, data(), 0.6)
    assert bool(masks["strong.weight"].any())
    assert bool(synflow_masks(Residual(), None, data(), 0.6, floor=1)["weak.weight"].any())


@pytest.mark.parametrize("name", GLOBAL)
def test_a_floor_keeps_weights_in_every_layer_and_the_number(name):
    model, batch = mlp(widths=(6, *[16] * 12, 64, 64, 3), activation=nn.ReLU), data(64)
    masks = AT_INIT[name](model, cross_entropy, batch, 0.99, floor=2)
    assert min(int(mask.sum()) for mask in masks.values()) >= 2
    assert mask_ops.live(masks) == live_weights(shapes(select(model)), 0.99)


# ---- messages


@pytest.mark.parametrize("name", GLOBAL)
def test_a_floor_has_limits(name):
    with pytest.raises(SettingError, match=r"floor=5 needs 15 live weights in 3 layers, the sparsity leaves 6; lower"):
        AT_INIT[name](mlp(), cross_entropy, data(), 0.9, floor=5)
    with pytest.raises(SettingError, match=r"expected floor ≥ 0, got -1; floor=1 keeps"):
        AT_INIT[name](mlp(), cross_entropy, data(), 0.9, floor=-1)


@pytest.mark.parametrize("name", sorted(AT_INIT))
def test_a_percentage_is_refused(name):
    with pytest.raises(SettingError, match=r"expected a sparsity in \[0, 1\).*90 per cent is 0.9"):
        AT_INIT[name](mlp(), cross_entropy, data(), 90)


@pytest.mark.parametrize("name", sorted(AT_INIT))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_name_the_layer(name, bad):
    model = mlp()
    model[2].weight.data[0, 0] = bad
    with pytest.raises(
        StateError, match=r"expected finite scores, got \{.*'2.weight': .*\} that are not; look for NaN"
    ):
        AT_INIT[name](model, cross_entropy, data(), 0.5)


@pytest.mark.parametrize("name", ["snip", "snip_released", "grasp", "synflow"])
def test_a_dead_network_is_not_pruned_at_random_under_another_name(name):
    model = mlp(bias=False)
    model[2].weight.data.zero_()
    model[4].weight.data.zero_()
    with pytest.raises(StateError, match=r"expected some weight to matter, got a score of 0 for all; look for zero"):
        AT_INIT[name](model, cross_entropy, data(), 0.5)


def test_losses_that_cannot_be_differentiated_are_refused():
    model, batch = mlp(), data()
    with pytest.raises(StateError, match=r"expected one number as loss, got \(12,\); use reduction='mean'"):
        snip(model, nn.CrossEntropyLoss(reduction="none"), batch, 0.5)
    with pytest.raises(StateError, match=r"expected one number as loss, got float"):
        snip(model, lambda outputs, targets: 0.5, batch, 0.5)
    with pytest.raises(StateError, match=r"expected a loss that depends on the selected weights, got a constant"):
        snip(model, lambda outputs, targets: outputs.detach().sum(), batch, 0.5)
    with pytest.raises(StateError, match=r"expected a loss with curvature.*use cross-entropy, or snip"):
        grasp(nn.Linear(6, 3), lambda outputs, targets: outputs.sum(), batch, 0.5)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, inputs):
        return self.layer(inputs), self.layer(inputs)


def test_grasp_needs_logits_and_synflow_any_number_of_heads():
    with pytest.raises(StateError, match=r"expected outputs that GraSP can divide by its temperature, got tuple"):
        grasp(Pair(), cross_entropy, data(), 0.5)
    with pytest.raises(StateError, match=r"expected outputs \(N, classes\), got tuple; pass samples_per_class=None"):
        grasp(Pair(), cross_entropy, [data()], 0.5)
    with pytest.raises(StateError, match=r"expected outputs \(N, classes\), got \(12, 3, 1\)"):
        grasp(nn.Sequential(nn.Linear(6, 3), nn.Unflatten(1, (3, 1))), cross_entropy, [data()], 0.5)
    assert mask_ops.live(synflow_masks(Pair(), None, data(), 0.5)) == 9


def test_settings_outside_their_ranges():
    model, batch = mlp(), data()
    with pytest.raises(SettingError, match=r"expected batches ≥ 1, got 0; SNIP looks at 1"):
        snip(model, cross_entropy, batch, 0.5, batches=0)
    with pytest.raises(SettingError, match=r"expected temperature > 0, got 0"):
        grasp(model, cross_entropy, batch, 0.5, temperature=0)
    with pytest.raises(SettingError, match=r"expected samples_per_class ≥ 1 or None for the first batch, got 0"):
        grasp(model, cross_entropy, [batch], 0.5, samples_per_class=0)
    with pytest.raises(SettingError, match=r"expected chunk ≥ 1 sample, got 0"):
        grasp(model, cross_entropy, [batch], 0.5, chunk=0)
    with pytest.raises(SettingError, match=r"expected rounds ≥ 1, got 0; the paper has 100"):
        synflow_masks(model, None, batch, 0.5, rounds=0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, r"expected a batch or an iterable of batches, got NoneType; pass \(inputs, targets\) or a loader"),
        (torch.zeros(4, 6), r"expected a batch or an iterable of batches, got Tensor"),
        ([{"x": 1}], r"expected a batch \(inputs, targets\) with a tensor of inputs, got dict"),
        ([(1, 2, 3)], r"got tuple of \(int, int, int\); pass"),
        (TensorDataset(*data()), r"got tuple of \(Tensor, Tensor\): a single sample of a data set\? wrap it in a Data"),
        ((torch.zeros(2, 6), 1), r"got tuple of \(Tensor, int\): a single sample"),
        ((torch.zeros(2, 6), torch.zeros(3)), r"expected as many inputs as targets and at least one, got 2 and 3"),
        ((torch.zeros(0, 6), torch.zeros(0)), r"at least one, got 0 and 0"),
        ([], r"expected 1 batches, got 0; lower batches or pass a longer loader"),
    ],
)
@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_data_of_another_form_is_refused(name, bad, message):
    with pytest.raises(DataError, match=message):
        AT_INIT[name](mlp(), cross_entropy, bad, 0.5)


def test_an_iterator_that_ends_after_the_first_look_has_no_samples_left():
    with pytest.raises(DataError, match=r"expected samples of 3 classes, got an empty loader"):
        grasp(mlp(), cross_entropy, iter([data()]), 0.5)


@pytest.mark.parametrize("labels", [torch.zeros(12), torch.full((12,), 3), torch.zeros(12, 2, dtype=torch.int64)])
def test_grasp_refuses_labels_that_are_no_classes(labels):
    with pytest.raises(DataError, match=r"expected labels \(N,\) of whole numbers in 0\.\.2, the model's outputs"):
        grasp(mlp(), cross_entropy, [(data()[0], labels)], 0.5)


def test_synflow_refuses_indices_as_inputs():
    with pytest.raises(DataError, match=r"expected inputs of real numbers, got torch.int64; SynFlow sends ones"):
        synflow_masks(mlp(), None, (torch.zeros(2, 6, dtype=torch.int64), torch.zeros(2)), 0.5)


@pytest.mark.parametrize("card", ["snip", "grasp", "synflow", "magnitude"])
def test_the_blocks_of_the_method_cards_run(card):
    blocks = re.findall(r"```python\n(.*?)```", (CARDS / f"{card}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
