import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from gossamer.analyze.landscape.barrier import barrier
from gossamer.analyze.landscape.bezier import Bezier, train_bezier
from gossamer.analyze.landscape.interpolate import Line, interpolate
from gossamer.analyze.landscape.path import UNIT, evaluate_curve
from gossamer.analyze.landscape.state_masks import union
from gossamer.core.errors import DataError, SettingError, StateError
from tests import networks
from tests.test_analyze_interpolate import MSE, ONE, only, random_masks, two_neurons

CROSS_ENTROPY = functional.cross_entropy


def ends(model: nn.Module, seed: int = 1) -> tuple[nn.Module, nn.Module]:
    build = networks.convnet if next(model.parameters()).dim() == 4 else networks.mlp
    return build(seed), build(seed + 1)


def test_it_finds_a_way_around_the_barrier_that_a_line_meets():
    # v1 w1 + v2 w2 = 1 is a circle through both ends; the line between them cuts it with a barrier of 0.25
    model = two_neurons()
    curve = train_bezier(model, only(0), only(1), MSE, ONE, steps=2000, lr=0.1)
    bent = barrier(evaluate_curve(model, curve, MSE, ONE))
    straight = barrier(interpolate(model, only(0), only(1), MSE, ONE))
    assert straight.loss == pytest.approx(0.25)
    assert bent.loss < 0.01
    # the best bend of such curves: the expected loss is least at a middle of 0.923 in all four weights
    assert torch.cat([t.flatten() for t in curve.middle.values()]).tolist() == pytest.approx(
        [best_bend()] * 4, abs=0.02
    )


def best_bend() -> float:
    """The middle m (in all four weights) whose mean loss over t is least, tried on a grid."""
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)

    def mean_loss(m: float) -> float:
        first, second = (1 - t) ** 2 + 2 * t * (1 - t) * m, t**2 + 2 * t * (1 - t) * m
        return float(((first**2 + second**2 - 1) ** 2).mean())

    return min((step / 1000 for step in range(500, 1500)), key=mean_loss)


def test_a_curve_is_its_formula_and_meets_its_ends_exactly():
    draws = torch.Generator().manual_seed(0)
    start, middle, end = (torch.randn(5, generator=draws) for _ in range(3))
    curve = Bezier(Line({"w": start, "rest": start}, {"w": end, "rest": end}, ["w"]), {"w": middle}, torch.empty(0))
    assert torch.equal(curve.at(0.0)["w"], start)
    assert torch.equal(curve.at(1.0)["w"], end)
    by_hand = [0.49 * a + 0.42 * b + 0.09 * c for a, b, c in zip(start, middle, end, strict=True)]
    assert curve.at(0.3)["w"].tolist() == pytest.approx([float(value) for value in by_hand], rel=1e-5)
    assert torch.equal(curve.at(0.3)["rest"], torch.lerp(start, end, 0.3))
    assert curve.weights == ["w"]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_middle_stays_in_the_union_of_both_masks(seed: int):
    model = networks.convnet()
    masks = random_masks(model, seed), random_masks(model, seed + 1)
    data = networks.batch(model, 0, 16)
    curve = train_bezier(model, *ends(model), CROSS_ENTROPY, data, masks=masks, steps=5, lr=0.1)
    both = union(*masks)
    moved = Bezier(curve.line, curve.line.at(0.5), curve.losses)
    for name, mask in both.items():
        assert bool((curve.middle[name][~mask] == 0).all())
        assert not torch.equal(curve.middle[name][mask], moved.middle[name][mask])
    density = sum(int(mask.sum()) for mask in both.values()) / sum(mask.numel() for mask in both.values())
    path = evaluate_curve(model, curve, CROSS_ENTROPY, data, alphas=[0, 0.5, 1])
    assert path.points[1].density == pytest.approx(density)
    assert max(path.points[0].density, path.points[2].density) < density


def test_the_middle_stays_in_a_mask_of_its_own():
    model = networks.mlp()
    masks, own = random_masks(model, 1), random_masks(model, 2)
    data = networks.batch(model, 0)
    curve = train_bezier(model, *ends(model), CROSS_ENTROPY, data, masks=masks, middle_masks=own, steps=3)
    assert all(bool((curve.middle[name][~mask] == 0).all()) for name, mask in own.items())
    assert bool((curve.middle["0.weight"][own["0.weight"] & ~masks["0.weight"]] != 0).any())


def test_it_is_plain_sgd_on_the_middle():
    model, data = nn.Linear(2, 1, bias=False), (torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]]))
    start, end = {"weight": torch.tensor([[0.0, 1.0]])}, {"weight": torch.tensor([[2.0, 0.0]])}
    steps, lr, momentum = 20, 0.05, 0.9
    curve = train_bezier(model, start, end, MSE, data, steps=steps, lr=lr, momentum=momentum, seed=3)
    draws = torch.Generator().manual_seed(3)
    middle, speed = [1.0, 0.5], [0.0, 0.0]
    for step in range(steps):
        torch.randperm(1, generator=draws)
        t = float(torch.rand((), generator=draws, dtype=torch.float64))
        share = 1.0 if step / steps <= 0.5 else max(0.01, 1 - 0.99 * (step / steps - 0.5) / 0.4)
        weights = [
            (1 - t) ** 2 * a + 2 * t * (1 - t) * m + t**2 * b for a, m, b in zip([0, 1], middle, [2, 0], strict=True)
        ]
        error = weights[0] + 2 * weights[1] - 3
        assert float(curve.losses[step]) == pytest.approx(error**2, rel=1e-3, abs=1e-6)
        for i, x in enumerate((1.0, 2.0)):
            speed[i] = momentum * speed[i] + 2 * error * x * 2 * t * (1 - t)
            middle[i] -= lr * share * speed[i]
    assert curve.middle["weight"][0].tolist() == pytest.approx(middle, rel=1e-4)


def test_the_same_seed_gives_the_same_curve_whatever_came_before():
    model = nn.Sequential(*networks.mlp(), nn.Dropout())
    data = networks.batch(model, 0, 64)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*data), batch_size=16, shuffle=True)
    first, second = (nn.Sequential(*end, nn.Dropout()) for end in ends(networks.mlp()))
    for batches in (data, loader):
        curves = []
        for state, seed in ((0, 5), (1, 5), (1, 6)):
            torch.manual_seed(state)
            curves.append(train_bezier(model, first, second, CROSS_ENTROPY, batches, steps=9, seed=seed, batch_size=16))
        assert torch.equal(curves[0].losses, curves[1].losses)
        assert torch.equal(curves[0].middle["0.weight"], curves[1].middle["0.weight"])
        assert not torch.equal(curves[0].losses, curves[2].losses)


def test_everything_is_left_as_found():
    model = nn.Sequential(*networks.convnet(), nn.Dropout())
    first, second = (nn.Sequential(*end, nn.Dropout()) for end in ends(networks.convnet()))
    model[1].eval()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    states = [{name: t.clone() for name, t in each.state_dict().items()} for each in (model, first, second)]
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    with torch.no_grad():  # it needs gradients wherever it is called
        curve = train_bezier(model, first, second, CROSS_ENTROPY, networks.batch(model, 0), steps=3)
    for each, before in zip((model, first, second), states, strict=True):
        assert all(torch.equal(tensor, before[name]) for name, tensor in each.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert bool((model[0].weight.grad == 1).all())
    assert all(p.grad is None for p in [*first.parameters(), *second.parameters(), *list(model.parameters())[1:]])
    assert not any(tensor.requires_grad for tensor in curve.at(0.5).values())


def test_batch_norm_uses_the_statistics_of_the_batch():
    model = networks.convnet()
    first, second = ends(model)
    data = networks.batch(model, 0, 16)
    expected = train_bezier(model, first, second, CROSS_ENTROPY, [data], steps=3)
    first[1].running_var.fill_(1e9)  # which evaluation mode would divide by
    found = train_bezier(model, first, second, CROSS_ENTROPY, [data], steps=3)
    assert torch.equal(found.losses, expected.losses)


def test_a_rest_of_the_samples_is_left_for_the_next_turn():
    seen = []

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        seen.append(labels.flatten().tolist())
        return MSE(outputs, labels)

    data = torch.ones(5, 1), torch.arange(5.0)[:, None]
    train_bezier(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), loss, data, steps=4, batch_size=2)
    assert [len(labels) for labels in seen] == [2, 2, 2, 2]
    assert len({*seen[0], *seen[1]}) == len({*seen[2], *seen[3]}) == 4
    seen.clear()
    train_bezier(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), loss, data, steps=2)
    assert [sorted(labels) for labels in seen] == [[0, 1, 2, 3, 4]] * 2  # fewer samples than a batch: all of them


def test_frozen_tied_and_unused_parameters():
    torch.manual_seed(0)
    model, first, second = networks.tied(0), networks.tied(1), networks.tied(2)
    model.mix.requires_grad_(False)
    model.spare, first.spare, second.spare = (nn.Linear(1, 1) for _ in range(3))
    curve = train_bezier(model, first, second, CROSS_ENTROPY, networks.batch(model, 0), steps=3)
    assert list(curve.middle) == ["read.weight", "spare.weight", "spare.bias"]
    assert torch.equal(curve.at(0.25)["mix.weight"], torch.lerp(first.mix.weight, second.mix.weight, 0.25).detach())
    halfway = torch.lerp(first.spare.weight, second.spare.weight, 0.5)
    assert torch.equal(curve.middle["spare.weight"], halfway.detach())  # nothing pulls at it


def test_measured_at_twenty_one_points_by_default():
    assert UNIT[0] == 0.0
    assert (UNIT[10], UNIT[20], len(UNIT)) == (0.5, 1.0, 21)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"steps": 0}, "a whole number of 1 or more as steps, got 0"),
        ({"steps": 2.0}, "a whole number of 1 or more as steps, got 2.0"),
        ({"batch_size": 0}, "a whole number of 1 or more as batch_size, got 0"),
        ({"lr": 0.0}, "expected lr above 0, got 0.0"),
        ({"lr": float("nan")}, "expected lr above 0, got nan"),
        ({"momentum": 1.0}, r"expected momentum in \[0, 1\), got 1.0"),
        ({"seed": None}, "a whole number of 0 or more as seed, got None"),
    ],
)
def test_settings_outside_their_range_are_refused(setting: dict, message: str):
    with pytest.raises(SettingError, match=message):
        train_bezier(two_neurons(), only(0), only(1), MSE, ONE, **setting)


def test_batches_that_run_out_are_refused():
    with pytest.raises(DataError, match="until all steps are done, but they ran out; pass a pair"):
        train_bezier(two_neurons(), only(0), only(1), MSE, iter([ONE, ONE]), steps=3)


@pytest.mark.parametrize("batches", [3, torch.ones(2, 1), [torch.ones(2, 1)], (torch.ones(2, 1), torch.ones(3, 1))])
def test_what_is_no_batches_is_refused(batches: object):
    with pytest.raises(DataError, match=r"expected (a batch or an iterable of batches|batches|as many inputs)"):
        train_bezier(two_neurons(), only(0), only(1), MSE, batches)


def test_a_training_that_diverges_is_refused():
    with pytest.raises(StateError, match=r"expected a finite loss, got (inf|nan)"):
        train_bezier(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), MSE, ONE, lr=1e9)


def test_a_loss_of_every_sample_is_refused():
    with pytest.raises(SettingError, match="expected a loss that gives the mean over the batch as one number"):
        train_bezier(two_neurons(), only(0), only(1), nn.MSELoss(reduction="none"), ONE)
