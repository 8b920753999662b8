import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gossamer.analyze import LayerCost, Segment, forward_flops, layer_costs, training_flops
from gossamer.bench.models import MODELS, build
from gossamer.core.distribution import counts, erk
from gossamer.core.errors import SettingError
from gossamer.core.named import select, shapes
from tests.reference import flops as reference

ORACLES = {  # Xiao et al. 2024 at 100 classes: forward FLOPs at 32x32, ERK's share of them at sparsity .5, .8 and .9
    "resnet18": (1.111e9, (0.795, 0.504, 0.239)),
    "resnet34": (2.319e9, (0.763, 0.436, 0.212)),
    "vgg19": (7.964e8, (0.730, 0.403, 0.218)),
}


def on_meta(name: str, **sizes: int) -> nn.Module:
    with torch.device("meta"):
        return build(name, **sizes)


def random_convolution(seed: int) -> tuple[nn.Conv2d, int, Tensor]:
    draw = random.Random(seed)
    groups = draw.choice([1, 1, 2, 3])
    layer = nn.Conv2d(
        groups * draw.randint(1, 3),
        groups * draw.randint(1, 3),
        kernel_size=draw.randint(1, 3),
        stride=draw.randint(1, 3),
        padding=draw.randint(0, 2),
        dilation=draw.randint(1, 2),
        groups=groups,
    )
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(seed)) < draw.random()
    return layer, draw.randint(5, 9), mask


@pytest.mark.parametrize("seed", range(50))
def test_convolutions_cost_what_a_walk_over_every_multiply_add_finds(seed: int):
    layer, side, mask = random_convolution(seed)
    expected = reference.convolution(layer, side, mask)
    assert forward_flops(layer, (layer.in_channels, side, side), {"weight": mask}) == {"weight": expected}


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolutions_use_every_weight_once_per_input_pixel(stride: int):
    layer = nn.ConvTranspose2d(3, 4, 3, stride=stride)
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(stride)) < 0.4
    expected = reference.transposed_convolution(layer, 5, mask)
    assert forward_flops(layer, (3, 5, 5), {"weight": mask}) == {"weight": expected}


def test_a_linear_layer_on_tokens_counts_every_token():
    assert forward_flops(nn.Linear(3, 5), (7, 3)) == {"weight": 2 * 7 * 15}


@pytest.mark.parametrize("name", MODELS)
def test_dense_totals_agree_with_torch_counting_its_own_kernels(name: str):
    model = build(name, num_classes=10, image_size=32, channels=3, width=0.25).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 32, 32))
    assert sum(forward_flops(model, (3, 32, 32)).values()) == counter.get_total_flops()


@pytest.mark.parametrize("name", ORACLES)
def test_forward_flops_of_the_papers_networks(name: str):
    total = sum(forward_flops(on_meta(name, num_classes=100, image_size=32, channels=3), (3, 32, 32)).values())
    assert float(f"{total:.3e}") == ORACLES[name][0]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("level", range(3))
def test_erk_forward_flops_of_the_papers_networks(name: str, level: int):
    model = on_meta(name, num_classes=100, image_size=32, channels=3)
    sizes, costs = shapes(select(model)), layer_costs(model, (3, 32, 32))
    live = counts(sizes, erk(sizes, (0.5, 0.8, 0.9)[level]))
    sparse = sum(live[layer] * cost.flops_per_weight for layer, cost in costs.items())
    dense = sum(cost.weights * cost.flops_per_weight for cost in costs.values())
    assert round(sparse / dense, 3) == ORACLES[name][1][level]


def test_layers_without_a_mask_are_dense():
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 3))
    mask = torch.eye(3, 8, dtype=torch.bool)
    assert forward_flops(model, (1, 3, 3), {"2.weight": mask}) == {"0.weight": 2 * 8 * 4, "2.weight": 2 * 3}


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.unused = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 9)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(input=self.first(self.first(x)))


def test_tied_and_repeated_layers_count_every_call_and_unused_ones_none():
    assert forward_flops(Twice(), (4,)) == {"first.weight": 3 * 2 * 16, "unused.weight": 0}


class Inspected(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.drop = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()
        self.seen = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.training, torch.is_grad_enabled(), x.clone()))
        return self.drop(self.bn(self.conv(x))) + torch.rand(1)


def test_modes_batch_norm_random_state_and_hooks_are_left_as_found():
    model = Inspected().train()
    model.bn.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    layer_costs(model, (1, 5, 5))
    assert model.training
    assert model.drop.training
    assert not model.bn.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.conv._forward_hooks
    ((training, gradients, image),) = model.seen
    assert (training, gradients) == (False, False)
    assert torch.equal(image, torch.zeros(1, 1, 5, 5))


def test_modes_and_hooks_are_left_as_found_when_the_forward_pass_fails():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(7, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer_costs(model, (1, 5, 5))
    assert model.training
    assert not model[0]._forward_hooks
    assert not model[1]._forward_hooks


@pytest.mark.parametrize("how", ["double", "bfloat16"])
def test_the_input_has_the_models_own_precision(how: str):
    assert layer_costs(getattr(nn.Linear(3, 2), how)(), (3,)) == {"weight": LayerCost(6, 2)}


def test_a_model_without_weights_costs_nothing():
    assert forward_flops(nn.ReLU(), (3,)) == {}


def test_reparametrised_weights_are_left_out():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2))
    assert forward_flops(model, (3,)) == {"1.weight": 16}


def test_compiled_models_count_the_same_under_the_same_names():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2))
    assert layer_costs(torch.compile(layers, backend="eager"), (1, 5, 5)) == layer_costs(layers, (1, 5, 5))


def test_graphs_compiled_earlier_are_neither_run_nor_compiled_again():
    graphs = []
    model = build("convnet", num_classes=3, image_size=5, channels=1).eval()
    expected = layer_costs(model, (1, 5, 5))
    model.compile(backend=lambda graph, _inputs: graphs.append(graph) or graph.forward)
    with torch.no_grad():
        model(torch.zeros(1, 1, 5, 5))
        assert layer_costs(model, (1, 5, 5)) == expected
        model(torch.zeros(1, 1, 5, 5))
    assert len(graphs) == 1


class Attention(nn.Module):
    def __init__(self, **dims: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, **dims)

    def forward(self, x: Tensor) -> Tensor:
        memory = torch.zeros(1, 5, self.attention.kdim)
        return self.attention(x, key=memory, value=memory)[0]


def test_transformer_layers_count_their_projections_once_per_token():
    layer = nn.TransformerEncoderLayer(d_model=4, nhead=2, dim_feedforward=8, batch_first=True)
    tokens = {"self_attn.in_proj_weight": 48, "self_attn.out_proj.weight": 16}
    expected = {
        name: 2 * 6 * weights for name, weights in (tokens | {"linear1.weight": 32, "linear2.weight": 32}).items()
    }
    assert forward_flops(layer, (6, 4)) == expected


def test_cross_attention_counts_queries_and_keys_apart():
    flops = forward_flops(Attention(kdim=3, vdim=3), (2, 4))
    assert flops == {
        "attention.q_proj_weight": 2 * 2 * 16,
        "attention.k_proj_weight": 2 * 5 * 12,
        "attention.v_proj_weight": 2 * 5 * 12,
        "attention.out_proj.weight": 2 * 2 * 16,
    }


def test_cross_attention_with_one_weight_tensor_is_refused():
    with pytest.raises(SettingError, match=r"projects 2 queries, 5 keys and 5 values .* separate projections"):
        forward_flops(Attention(), (2, 4))


def test_a_mask_of_something_else_is_refused():
    with pytest.raises(
        SettingError, match=r"cannot count the operations of 'bias'.* leave it out, the others are weight"
    ):
        forward_flops(nn.Linear(3, 2), (3,), {"bias": torch.ones(2, dtype=torch.bool)})


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(SettingError, match=r"mask of 'weight' has shape \(3, 2\), its weight \(2, 3\)"):
        forward_flops(nn.Linear(3, 2), (3,), {"weight": torch.ones(3, 2, dtype=torch.bool)})


COSTS = {"a": LayerCost(weights=100, flops_per_weight=2), "b": LayerCost(weights=30, flops_per_weight=50)}
DENSE = 100 * 2 + 30 * 50


def forward(live: dict[str, int]) -> int:
    return live["a"] * 2 + live["b"] * 50


def test_dense_and_static_steps_cost_three_forward_passes():
    live = {"a": 10, "b": 3}
    assert training_flops([Segment(steps=7)], COSTS, batch_size=4, dense_steps=7).relative == 1
    static = training_flops([Segment(steps=7, live=live)], COSTS, batch_size=4, dense_steps=7)
    assert static.total == 7 * 4 * 3 * forward(live)
    assert static.relative == pytest.approx(forward(live) / DENSE)


def test_snip_adds_one_dense_batch():
    live = {"a": 10, "b": 3}
    snip = training_flops([Segment(steps=1), Segment(steps=9, live=live)], COSTS, batch_size=1, dense_steps=9)
    assert snip.total == 3 * DENSE + 9 * 3 * forward(live)


@pytest.mark.parametrize("every", [1, 4, 100])
def test_rigl_pays_for_one_dense_gradient_an_interval(every: int):
    live = {"a": 10, "b": 3}
    rigl = Segment(steps=every + 1, live=live, dense_gradient_steps=1)
    total = training_flops([rigl], COSTS, batch_size=1, dense_steps=1).total
    assert total / (every + 1) == pytest.approx(reference.rigl_per_step(DENSE, forward(live), every))


def test_gradual_pruning_costs_the_average_of_its_stages():
    stages = [{"a": a, "b": b} for a, b in [(100, 30), (50, 20), (20, 5), (10, 3)]]
    gmp = training_flops([Segment(steps=5, live=live) for live in stages], COSTS, batch_size=2, dense_steps=20)
    assert gmp.relative == pytest.approx(sum(map(forward, stages)) / 4 / DENSE)


def test_tickets_pay_for_the_dense_training_too():
    live = {"a": 10, "b": 3}
    ticket = training_flops([Segment(steps=20), Segment(steps=20, live=live)], COSTS, batch_size=1, dense_steps=20)
    assert ticket.relative == pytest.approx(1 + forward(live) / DENSE)


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_an_attack_costs_two_passes_a_step_in_both_trainings(steps: int):
    live, settings = {"a": 10, "b": 3}, {"batch_size": 4, "dense_steps": 7, "attack_steps": steps}
    assert training_flops([Segment(steps=7)], COSTS, **settings).relative == 1
    static = training_flops([Segment(steps=7, live=live)], COSTS, **settings)
    assert static.total == 7 * 4 * (3 + 2 * steps) * forward(live)
    assert static.relative == pytest.approx(forward(live) / DENSE)


def test_an_attack_has_no_dense_weight_gradient():
    live = {"a": 10, "b": 3}
    rigl = Segment(steps=5, live=live, dense_gradient_steps=2)
    total = training_flops([rigl], COSTS, batch_size=1, dense_steps=5, attack_steps=10).total
    # 3 steps of 3 + 20 sparse passes; 2 steps of 2 + 20 sparse passes and a dense one
    assert total == 3 * 23 * forward(live) + 2 * (22 * forward(live) + DENSE)


def test_negative_steps_of_an_attack_are_refused():
    with pytest.raises(SettingError, match="expected attack_steps of 0 or more, got -1; 0 is a training without attac"):
        training_flops([], COSTS, batch_size=1, dense_steps=1, attack_steps=-1)


def test_layers_a_segment_does_not_name_are_dense():
    assert training_flops([Segment(steps=1, live={"b": 0})], COSTS, batch_size=1, dense_steps=1).total == 3 * 200


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30), st.integers(0, 5), st.integers(0, 5)), max_size=6))
def test_segments_add_up_to_what_a_walk_over_every_step_finds(parts: list[tuple[int, int, int, int]]):
    segments, steps = [], []
    for a, b, plain, with_dense_gradient in parts:
        live = {"a": a, "b": b}
        total = plain + with_dense_gradient
        segments.append(Segment(steps=total, live=live, dense_gradient_steps=with_dense_gradient))
        steps += [(live, False)] * plain + [(live, True)] * with_dense_gradient
    expected = reference.training(steps, {"a": 100, "b": 30}, {"a": 2, "b": 50})
    assert training_flops(segments, COSTS, batch_size=1, dense_steps=1).total == expected


def test_the_ratio_to_a_network_without_weights_is_not_a_number():
    nothing = training_flops([Segment(steps=1)], {}, batch_size=1, dense_steps=1)
    assert nothing.total == 0
    assert nothing.relative != nothing.relative


def test_negative_steps_are_refused():
    with pytest.raises(SettingError, match="a segment has -1 steps; pass 0 or more"):
        Segment(steps=-1)


@pytest.mark.parametrize("dense", [-1, 4])
def test_more_dense_gradients_than_steps_are_refused(dense: int):
    with pytest.raises(SettingError, match=rf"dense_gradient_steps {dense} is outside \[0, 3\]"):
        Segment(steps=3, dense_gradient_steps=dense)


@pytest.mark.parametrize(("batch_size", "dense_steps"), [(0, 1), (1, 0)])
def test_empty_batches_and_no_reference_are_refused(batch_size: int, dense_steps: int):
    with pytest.raises(
        SettingError, match=f"batch_size {batch_size} and dense_steps {dense_steps} must both be at least"
    ):
        training_flops([], COSTS, batch_size=batch_size, dense_steps=dense_steps)


@pytest.mark.parametrize("live", [-1, 31])
def test_live_weights_that_a_layer_cannot_have_are_refused(live: int):
    with pytest.raises(SettingError, match=f"{live} live weights in 'b', which has 30"):
        training_flops([Segment(steps=1, live={"b": live})], COSTS, batch_size=1, dense_steps=1)


def test_live_weights_of_an_unknown_layer_are_refused():
    with pytest.raises(SettingError, match="cannot count the operations of 'c'"):
        training_flops([Segment(steps=1, live={"c": 1})], COSTS, batch_size=1, dense_steps=1)
