import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from gossamer import GMP, SET, RigL, Sparsifier
from gossamer.analyze.flow.collector import GradientFlow
from gossamer.analyze.flow.effective import effective_gradient_flow
from gossamer.analyze.flow.norms import gradient_norm, layer_norms
from gossamer.core.errors import DataError, SettingError, StateError
from tests import networks
from tests.reference import gradient as reference
from tests.test_analyze_gradient import masked


def half_square(outputs, labels):
    return outputs.square().mean() / 2


def line(weights, bias=0.0):
    """A linear neuron at given weights."""
    model = nn.Linear(len(weights), 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights]))
        model.bias.fill_(bias)
    return model


@given(st.sampled_from(["mlp", "convnet", "tied"]), st.integers(0, 99), st.sampled_from([0.1, 0.5, 1.0]))
@settings(max_examples=9, deadline=None)
def test_norms_are_those_of_python_loops_over_weights(network, seed, share):
    model, masks, data = masked(network, seed, share)
    _, gradients = reference.mean_gradient(model, cross_entropy, *data, masks)
    expected = reference.norm(gradients.values())
    assert gradient_norm(model, cross_entropy, data, masks=masks) == pytest.approx(expected, rel=1e-4)
    only = reference.norm([gradients[name] for name in masks])
    assert gradient_norm(model, cross_entropy, data, masks=masks, masked_only=True) == pytest.approx(only, rel=1e-4)
    by_layer = layer_norms(model, cross_entropy, data, masks=masks)
    assert by_layer == {n: pytest.approx(reference.norm([g]), rel=1e-3, abs=1e-6) for n, g in gradients.items()}
    assert sum(norm**2 for norm in by_layer.values()) == pytest.approx(expected**2, rel=1e-4)
    flow = effective_gradient_flow(model, cross_entropy, data, masks=masks)
    assert flow.l1 == pytest.approx(reference.effective_flow(gradients, masks, 1), rel=1e-4)
    assert flow.l2 == pytest.approx(reference.effective_flow(gradients, masks, 2), rel=1e-4)


def test_dead_weights_and_biases_by_hand():
    model = line([1.0, 0.0, 1.0])
    data = torch.tensor([[2.0, 9.0, 2.0]]), torch.zeros(1, 1)  # output 4, gradient 4 · (2, 9, 2 | 1)
    masks = {"weight": torch.tensor([[True, False, True]])}
    assert gradient_norm(model, half_square, data, masks=masks) == pytest.approx(12)
    assert gradient_norm(model, half_square, data, masks=masks, masked_only=True) == pytest.approx(4 * 8**0.5)
    assert layer_norms(model, half_square, data, masks=masks) == {
        "weight": pytest.approx(4 * 8**0.5),
        "bias": pytest.approx(4),
    }
    assert gradient_norm(model, half_square, data) == pytest.approx(4 * 90**0.5)


def test_the_norm_of_masked_parameters_alone_needs_masks():
    with pytest.raises(SettingError, match=r"expected masks to leave out what has none, got none; pass masks="):
        gradient_norm(line([1.0]), half_square, (torch.ones(1, 1), torch.zeros(1)), masked_only=True)


def test_effective_flow_by_hand():
    model = nn.Sequential(line([1.0, 1.0]), line([2.0]))
    data = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1)  # outputs 7 and 14
    flow = effective_gradient_flow(model, half_square, data)
    # first layer 14 · 2 · (3, 4), second 14 · 7; biases are no layers
    assert flow.rows() == [
        {"layer": "0.weight", "live": 2, "l1": pytest.approx(196), "l2": pytest.approx(140)},
        {"layer": "1.weight", "live": 1, "l1": pytest.approx(98), "l2": pytest.approx(98)},
    ]
    assert (flow.l1, flow.l2) == (pytest.approx(147), pytest.approx(119))


def test_a_layer_without_live_weights_counts_with_a_flow_of_zero():
    model = nn.Sequential(line([1.0, 1.0]), line([0.0]))
    data = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1)
    flow = effective_gradient_flow(model, half_square, data, masks={"1.weight": torch.tensor([[False]])})
    assert flow.rows()[1] == {"layer": "1.weight", "live": 0, "l1": 0, "l2": 0}


class Scales(nn.Module):
    """No weight of two dimensions."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, inputs):
        return inputs * self.scale


def test_effective_flow_needs_a_layer_and_a_mask_makes_one():
    data = torch.ones(1, 2), torch.zeros(1)
    with pytest.raises(SettingError, match="two dimensions or more, got scale alone; the flow per layer needs a layer"):
        effective_gradient_flow(Scales(), half_square, data)
    masks = {"scale": torch.tensor([True, True])}
    assert effective_gradient_flow(Scales(), half_square, data, masks=masks).l1 == pytest.approx(1)


# the collector


def training(method=None, seed=0, network="mlp"):
    """A network with dropout, its sparsifier and optimizer."""
    model = getattr(networks, network)(seed)
    model.append(nn.Dropout(0.2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    method = method or RigL(sparsity=0.8, total_steps=20, every=3, stop=1.0)
    return model, Sparsifier(method, model, optimizer, seed=seed), optimizer


def collector(model, masks, every=2, **options):
    return GradientFlow(model, cross_entropy, networks.batch(model, 500, size=16), masks=masks, every=every, **options)


def train(model, sparsifier, optimizer, flow, steps):
    for step in steps:
        if flow:
            flow.record(step)
        optimizer.zero_grad()
        networks.backward(model, step)
        if flow:
            with flow.update(step):
                sparsifier.step()
        else:
            sparsifier.step()
        optimizer.step()


def test_a_training_is_recorded_when_due_and_at_each_change_of_masks():
    model, sparsifier, optimizer = training()
    flow = collector(model, sparsifier)
    data = networks.batch(model, 500, size=16)
    for step in range(8):
        loss, gradients = reference.mean_gradient(model, cross_entropy, *data, sparsifier.masks)
        assert flow.record(step) == (step % 2 == 0)
        if step % 2 == 0:
            row = flow.rows()[-1]
            assert row == {
                "step": step,
                "loss": pytest.approx(loss, rel=1e-4),
                "norm": pytest.approx(reference.norm(gradients.values()), rel=1e-4),
                "egf_l1": pytest.approx(reference.effective_flow(gradients, sparsifier.masks, 1), rel=1e-4),
                "egf_l2": pytest.approx(reference.effective_flow(gradients, sparsifier.masks, 2), rel=1e-4),
            }
        optimizer.zero_grad()
        networks.backward(model, step)
        with flow.update(step):
            sparsifier.step()
        after = reference.norm(reference.mean_gradient(model, cross_entropy, *data, sparsifier.masks)[1].values())
        if step in (3, 6):
            update = flow.updates()[-1]
            assert update["before"] == pytest.approx(reference.norm(gradients.values()), rel=1e-4)
            assert update["after"] == pytest.approx(after, rel=1e-4)
            assert update["change"] == update["after"] - update["before"]
            assert update["loss_before"] == pytest.approx(loss, rel=1e-4)
            assert update["loss_after"] != update["loss_before"]
        optimizer.step()
    assert [row["step"] for row in flow.updates()] == [3, 6]
    assert [row["step"] for row in flow.rows()] == [0, 2, 4, 6]


def test_layers_have_rows_of_their_own():
    model, sparsifier, optimizer = training()
    flow = collector(model, sparsifier)
    train(model, sparsifier, optimizer, flow, range(4))
    names = [name for name, _ in model.named_parameters()]
    rows = flow.layer_rows()
    assert [(row["step"], row["layer"]) for row in rows] == [(step, name) for step in (0, 2) for name in names]
    assert rows[0]["live"] == int(sparsifier.masks["0.weight"].sum())
    norm = sum(row["l2"] ** 2 for row in rows if row["step"] == 2) ** 0.5
    assert norm == pytest.approx(flow.rows()[1]["norm"])
    updates = flow.layer_updates()
    assert [(row["step"], row["layer"]) for row in updates] == [(3, name) for name in names]
    assert all(row["change"] == row["after"] - row["before"] for row in updates)
    assert sum(row["after"] ** 2 for row in updates) ** 0.5 == pytest.approx(flow.updates()[0]["after"])


def test_the_change_at_an_update_by_hand():
    model = line([1.0, 0.0])
    data = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1)
    masks = {"weight": torch.tensor([[True, False]])}
    flow = GradientFlow(model, half_square, data, masks=lambda: masks, masked_only=True)
    with flow.update(7):  # output 3: norm 3 · 3 before, 3 · 5 after
        masks = {"weight": torch.tensor([[True, True]])}
    assert flow.updates() == [
        {
            "step": 7,
            "before": pytest.approx(9),
            "after": pytest.approx(15),
            "change": pytest.approx(6),
            "loss_before": pytest.approx(4.5),
            "loss_after": pytest.approx(4.5),
        }
    ]


@pytest.mark.parametrize("network", ["mlp", "convnet"])
def test_a_training_goes_on_as_if_nobody_had_asked(network):
    def run(watched):
        torch.manual_seed(3)
        model, sparsifier, optimizer = training(network=network)
        flow = collector(model, sparsifier) if watched else None
        train(model, sparsifier, optimizer, flow, range(9))
        return model.state_dict(), [p.grad for p in model.parameters()], torch.get_rng_state()

    (state, grads, random), (state_alone, grads_alone, random_alone) = run(True), run(False)
    assert all(torch.equal(value, state_alone[name]) for name, value in state.items())
    assert all(torch.equal(grad, alone) for grad, alone in zip(grads, grads_alone, strict=True))
    assert torch.equal(random, random_alone)


class Counting(nn.Module):
    """How often it was asked."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(2, 1), 0

    def forward(self, inputs):
        self.calls += 1
        return self.layer(inputs)


def ask_at_every_step(source, **options):
    model, changes = Counting(), 0
    flow = GradientFlow(model, half_square, (torch.ones(2, 2), torch.zeros(2)), masks=source)
    for step in range(4):
        with flow.update(step, **options):
            changes += 1
    return model.calls, changes, flow.updates()


class Driver:
    """Something like a sparsifier: says whether it is due."""

    def __init__(self, due):
        self.due, self.masks = due, {}


@pytest.mark.parametrize(
    ("source", "options", "calls"),
    [
        (Driver(due=False), {}, 0),
        (Driver(due=True), {}, 4),
        (Driver(due=True), {"due": False}, 0),
        (Driver(due=False), {"due": True}, 4),
        (dict, {}, 4),
        (dict, {"due": False}, 0),
        ({"layer.weight": torch.ones(1, 2) > 0}, {}, 0),
        (None, {}, 0),
    ],
)
def test_nothing_is_measured_where_masks_cannot_change_and_no_row_is_kept_where_they_did_not(source, options, calls):
    assert ask_at_every_step(source, **options) == (calls, 4, [])


def test_a_rewiring_that_waits_for_finite_gradients_is_recorded_when_it_happens():
    model, sparsifier, _ = training()
    flow = collector(model, sparsifier)
    for step in range(6):
        model.zero_grad()
        networks.backward(model, step)
        if step == 3:
            model[0].weight.grad[0, 0] = float("inf")
        with flow.update(step):
            sparsifier.step()
    assert [row["step"] for row in flow.updates()] == [4]


def test_a_method_that_only_prunes_is_recorded_too():
    model, sparsifier, _ = training(GMP(sparsity=0.8, total_steps=20, every=4, begin=0.0, end=1.0))
    flow = collector(model, sparsifier)
    changed = []
    for step in range(10):
        model.zero_grad()
        networks.backward(model, step)
        live = sparsifier.sparsity
        with flow.update(step):
            sparsifier.step()
        changed += [step] * (sparsifier.sparsity > live)
    assert [row["step"] for row in flow.updates()] == changed
    assert len(changed) == 2


def test_masks_that_their_owner_changes_in_place_are_seen_to_change():
    masks, model = {"weight": torch.tensor([[True, False]])}, line([1.0, 0.0])
    flow = GradientFlow(model, half_square, (torch.tensor([[3.0, 4.0]]), torch.zeros(1)), masks=lambda: masks)
    with flow.update(0):
        masks["weight"].fill_(True)
    assert len(flow.updates()) == 1


def test_the_norm_of_masked_parameters_alone_can_be_recorded():
    model, sparsifier, _ = training()
    flow = collector(model, sparsifier, masked_only=True)
    flow.record(0)
    squares = {row["layer"]: row["l2"] ** 2 for row in flow.layer_rows()}
    assert flow.rows()[0]["norm"] ** 2 == pytest.approx(sum(squares[name] for name in sparsifier.masks))
    assert flow.rows()[0]["norm"] ** 2 < sum(squares.values())


def test_a_dense_network_that_gets_masks_has_an_update():
    masks, model = {}, line([1.0, 0.0])
    flow = GradientFlow(model, half_square, (torch.tensor([[3.0, 4.0]]), torch.zeros(1)), masks=lambda: masks)
    with flow.update(0):
        masks = {"weight": torch.tensor([[True, False]])}
    assert flow.updates()[0]["change"] == pytest.approx(3 * 10**0.5 - 3 * 26**0.5)


def test_an_error_in_the_update_passes_through_and_leaves_no_row():
    flow = GradientFlow(line([1.0]), half_square, (torch.ones(1, 1), torch.zeros(1)), masks=dict)

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), flow.update(0):
        fail()
    assert flow.updates() == []


def test_the_last_step_can_be_recorded_though_it_is_not_due_and_no_step_twice():
    model = networks.mlp()
    flow = collector(model, None, every=10)
    assert [flow.record(step) for step in (0, 0, 5, 10)] == [True, False, False, True]
    assert flow.record(13, always=True)
    assert not flow.record(13, always=True)
    assert [row["step"] for row in flow.rows()] == [0, 10, 13]


def test_rows_are_copies():
    flow = collector(networks.mlp(), None)
    flow.record(0)
    flow.rows()[0]["step"] = 9
    assert flow.rows()[0]["step"] == 0


@pytest.mark.parametrize("method", ["rigl", "set"])
def test_a_resumed_training_continues_its_record(method):
    def begin():
        chosen = RigL if method == "rigl" else SET
        options = {"sparsity": 0.8, "total_steps": 20, "every": 3}
        model, sparsifier, optimizer = training(chosen(**options))
        return model, sparsifier, optimizer, collector(model, sparsifier)

    torch.manual_seed(0)
    whole = begin()
    train(*whole, range(14))
    torch.manual_seed(0)
    first = begin()
    train(*first, range(7))
    stored = io.BytesIO()
    torch.save([part.state_dict() for part in first], stored)
    random = torch.get_rng_state()
    stored.seek(0)
    second = begin()
    for part, state in zip(second, torch.load(stored, weights_only=True), strict=True):
        part.load_state_dict(state)
    torch.set_rng_state(random)
    train(*second, range(7, 14))
    for table in ("rows", "layer_rows", "updates", "layer_updates"):
        assert getattr(second[-1], table)() == getattr(whole[-1], table)()
        assert getattr(whole[-1], table)()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"every": 3}, "every 3, got 2"),
        ({"masked_only": True}, "masked_only True, got False"),
        ({"batch_size": 5}, "data [0-9a-f]{32}, got [0-9a-f]{32}"),
    ],
)
def test_a_record_of_other_settings_is_refused(options, key):
    model, sparsifier, _ = training()
    state = collector(model, sparsifier).state_dict()
    with pytest.raises(StateError, match=f"expected a record with {key}; continue with the settings and the samples"):
        collector(model, sparsifier, **options).load_state_dict(state)


def test_a_step_before_the_last_is_refused():
    flow = collector(networks.mlp(), None)
    flow.record(4)
    with pytest.raises(StateError, match=r"expected a step after 4, got 2; .* flow.load_state_dict\(...\)"):
        flow.record(2)


def test_an_update_before_the_last_is_refused():
    model, sparsifier, optimizer = training()
    flow = collector(model, sparsifier)
    train(model, sparsifier, optimizer, flow, range(5))
    with pytest.raises(StateError, match="expected a step after 3, got 1"), flow.update(1, due=True):
        pass


@pytest.mark.parametrize("every", [0, 2.0, True])
def test_the_interval_is_a_whole_number(every):
    with pytest.raises(SettingError, match=r"expected every as a whole number of steps ≥ 1, got .*; P3 records every"):
        collector(networks.mlp(), None, every=every)


def test_masks_are_masks():
    with pytest.raises(
        SettingError, match=r"masks as a sparsifier, a function .* by parameter name, got int; pass the"
    ):
        collector(networks.mlp(), 3)


def test_a_loader_that_shuffles_between_records_is_found_out():
    inputs, labels = networks.batch(networks.mlp(), 0, size=32)
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=8, shuffle=True)
    flow = GradientFlow(networks.mlp(), cross_entropy, loader, every=1)
    flow.record(0)
    torch.manual_seed(1)
    with pytest.raises(DataError, match="differs from the first pass: does the loader shuffle or augment"):
        flow.record(1)


def test_a_training_that_diverged_is_said_to_have():
    model = line([float("inf")])
    flow = GradientFlow(model, half_square, (torch.ones(1, 1), torch.zeros(1)))
    with pytest.raises(StateError, match="expected a finite loss, got inf; the network has diverged"):
        flow.record(0)
