from collections import OrderedDict
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from gossamer.analyze.landscape.barrier import barrier
from gossamer.analyze.landscape.interpolate import ALPHAS, interpolate, line
from gossamer.analyze.landscape.path import UNIT, Path, Point, measure
from gossamer.analyze.landscape.state_masks import density_of, one_each, union, weight_names
from gossamer.analyze.landscape.states import state_of
from gossamer.analyze.passes import Passes
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from tests import networks
from tests.reference import landscape as reference

CROSS_ENTROPY = functional.cross_entropy
MSE = functional.mse_loss
ONE = (torch.ones(4, 1), torch.ones(4, 1))  # four times x = 1, y = 1


def two_neurons() -> nn.Sequential:
    """y = v1 relu(w1 x) + v2 relu(w2 x)."""
    return nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))


def only(neuron: int) -> dict[str, Tensor]:
    """Of two neurons one passes its input on, and the other is dead."""
    alive = functional.one_hot(torch.tensor(neuron), 2).float()
    return {"0.weight": alive[:, None], "2.weight": alive[None]}


def weight(value: float) -> dict[str, Tensor]:
    return {"weight": torch.tensor([[value]])}


def double_well(outputs: Tensor, _: Tensor) -> Tensor:
    """(w² - 1)² of a network of one weight at x = 1: minima at -1 and 1."""
    return ((outputs**2 - 1) ** 2).mean()


def random_masks(model: nn.Module, seed: int) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return {name: torch.rand(p.shape, generator=draws) < 0.4 for name, p in model.named_parameters() if p.dim() > 1}


class Counted(list):
    """Batches that count how often they are read."""

    passes = 0

    def __iter__(self) -> Iterator:
        self.passes += 1
        return super().__iter__()


def test_a_neuron_that_changes_places_has_the_barrier_computed_by_hand():
    # at α both neurons are half-alive: y = ((1 - α)² + α²) relu(x), the loss (1 - y)² = (2 α (1 - α))²
    path = interpolate(two_neurons(), only(0), only(1), MSE, ONE, alphas=[0, 0.25, 0.5, 1, -0.2])
    expected = [0.0, 0.140625, 0.25, 0.0, (1 - 1.2**2) ** 2]  # at -0.2 the second neuron's weight is negative: off
    assert path.values("loss").tolist() == pytest.approx(expected, abs=1e-6)
    assert path.values("density").tolist() == [0.5, 1.0, 1.0, 0.5, 1.0]  # the union of both masks is everything
    found = barrier(path)
    assert (found.loss, found.loss_alpha, found.highest_loss) == (pytest.approx(0.25), 0.5, pytest.approx(0.25))


def test_a_double_well_has_its_barrier_in_closed_form():
    path = interpolate(nn.Linear(1, 1, bias=False), weight(-1.0), weight(1.0), double_well, ONE)
    assert path.values("loss").tolist() == pytest.approx([((2 * a - 1) ** 2 - 1) ** 2 for a in ALPHAS], abs=1e-6)
    assert barrier(path).as_dict() == {
        "loss": 1.0,
        "loss_alpha": 0.5,
        "highest_loss": 1.0,
        "highest_alpha": 0.5,
    }


def test_ends_of_unequal_loss_are_taken_off_along_a_line():
    path = interpolate(nn.Linear(1, 1, bias=False), weight(-1.0), weight(2.0), double_well, ONE)
    losses = [((3 * a - 1) ** 2 - 1) ** 2 for a in ALPHAS]
    found = barrier(path)
    assert found.loss == pytest.approx(reference.barrier(ALPHAS, losses), abs=1e-5)
    assert (found.highest_loss, found.highest_alpha) == (9.0, 1.0)


def test_a_convex_loss_has_no_barrier_and_its_parabola_is_met():
    path = interpolate(nn.Linear(1, 1, bias=False), weight(0.0), weight(3.0), MSE, ONE)
    assert path.values("loss").tolist() == pytest.approx([(3 * a - 1) ** 2 for a in ALPHAS], rel=1e-5, abs=1e-6)
    assert barrier(path).loss == 0.0


def test_the_points_are_those_of_the_paper():
    assert torch.tensor(ALPHAS).numpy() == pytest.approx(torch.linspace(-0.2, 1.2, 29).numpy(), abs=1e-6)
    assert (ALPHAS[4], ALPHAS[14], ALPHAS[24]) == (0.0, 0.5, 1.0)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([6, 8, 24]))
def test_loss_accuracy_and_batch_norm_agree_with_a_plain_loop(seed: int, size: int):
    model, start, end = (networks.convnet(seed + i) for i in range(3))
    inputs, labels = networks.batch(model, seed, 24)
    alphas = [-0.2, 0.0, 0.35, 1.0]
    path = interpolate(model, start, end, CROSS_ENTROPY, (inputs, labels), alphas=alphas, batch_size=size)
    expected = reference.interpolated(model, start.state_dict(), end.state_dict(), inputs, labels, alphas, size)
    assert path.values("loss").tolist() == pytest.approx([loss for loss, _ in expected], rel=1e-4)
    assert path.values("accuracy").tolist() == pytest.approx([accuracy for _, accuracy in expected])


def test_masks_are_applied_and_between_two_of_them_their_union_lives():
    model = networks.mlp()
    first, second = random_masks(model, 1), random_masks(model, 2)
    start, end = networks.mlp(1), networks.mlp(2)
    data = networks.batch(model, 0)
    path = interpolate(model, start, end, CROSS_ENTROPY, data, masks=(first, second), alphas=[0, 0.5, 1])
    both = union(first, second)
    live = [sum(int(mask.sum()) for mask in masks.values()) for masks in (first, both, second)]
    assert path.values("density").tolist() == [count / 362 for count in live]
    by_hand = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    for name, mask in first.items():
        by_hand[name] *= mask
    model.load_state_dict(by_hand)
    assert path.points[0].loss == pytest.approx(float(CROSS_ENTROPY(model(data[0]), data[1]).detach()), rel=1e-6)


def test_dead_weights_never_enter():
    model, masks = networks.mlp(), random_masks(networks.mlp(), 1)
    start, end = networks.mlp(1).state_dict(), networks.mlp(2).state_dict()
    data = networks.batch(model, 0)
    clean = interpolate(model, start, end, CROSS_ENTROPY, data, masks=masks, alphas=[0, 0.5])
    for name, mask in masks.items():
        start[name][~mask] = torch.nan
        end[name][~mask] = 1e9
    assert interpolate(model, start, end, CROSS_ENTROPY, data, masks=masks, alphas=[0, 0.5]) == clean


def test_one_pass_an_alpha_and_one_more_with_batch_norm():
    for model, expected in ((networks.mlp(), 3), (networks.convnet(), 6)):
        data = Counted([networks.batch(model, 0), networks.batch(model, 1, size=4)])
        interpolate(model, model, model, CROSS_ENTROPY, data, alphas=[0, 0.5, 1])
        assert data.passes == expected


def test_batches_of_several_sizes_weigh_by_their_samples():
    model = networks.mlp()
    whole = networks.batch(model, 0, 10)
    parts = [tuple(part[:7] for part in whole), tuple(part[7:] for part in whole)]
    ends = networks.mlp(1), networks.mlp(2)
    expected = interpolate(model, *ends, CROSS_ENTROPY, whole, alphas=[0.3]).points[0]
    found = interpolate(model, *ends, CROSS_ENTROPY, parts, alphas=[0.3]).points[0]
    assert found.loss == pytest.approx(expected.loss, rel=1e-6)
    assert found.accuracy == expected.accuracy


def test_test_data_and_data_for_batch_norm_are_their_own():
    model, start, end = (networks.convnet(seed) for seed in range(3))
    train, test = networks.batch(model, 0, 16), networks.batch(model, 1, 16)
    both = interpolate(model, start, end, CROSS_ENTROPY, train, test=test, alphas=[0.5]).rows()[0]
    tested = interpolate(model, start, end, CROSS_ENTROPY, test, batch_norm_data=train, alphas=[0.5]).rows()[0]
    assert list(both) == ["alpha", "loss", "accuracy", "density", "test_loss", "test_accuracy"]
    assert (both["test_loss"], both["test_accuracy"]) == (tested["loss"], tested["accuracy"])
    own = interpolate(model, start, end, CROSS_ENTROPY, test, alphas=[0.5]).rows()[0]
    assert own["loss"] != tested["loss"]


def test_everything_is_left_as_found():
    model = nn.Sequential(*networks.convnet(), nn.Dropout())
    start, end = (nn.Sequential(*networks.convnet(seed), nn.Dropout()) for seed in (1, 2))
    model[1].eval()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    states = [{name: t.clone() for name, t in each.state_dict().items()} for each in (model, start, end)]
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    interpolate(model, start, end, CROSS_ENTROPY, networks.batch(model, 0), alphas=[0.5])
    for each, before in zip((model, start, end), states, strict=True):
        assert all(torch.equal(tensor, before[name]) for name, tensor in each.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert bool((model[0].weight.grad == 1).all())
    assert all(p.grad is None for p in [*start.parameters(), *end.parameters(), *list(model.parameters())[1:]])
    assert all(p.requires_grad for p in model.parameters())


def test_tied_and_unused_parameters_take_part():
    class Spare(networks.TiedWords):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(2, 2)

    torch.manual_seed(0)
    model, start, end = Spare(), Spare(), Spare()
    data = networks.batch(model, 0)
    path = interpolate(model, start, end, CROSS_ENTROPY, data, alphas=[1])
    with torch.no_grad():
        assert path.points[0].loss == pytest.approx(float(CROSS_ENTROPY(end(data[0]), data[1])), rel=1e-6)
    assert "write.weight" not in line(model, start, end).start


def test_wrapped_models_and_their_states_are_looked_through():
    model, start, end = networks.mlp(), networks.mlp(1), networks.mlp(2)
    data = networks.batch(model, 0)
    expected = interpolate(model, start, end, CROSS_ENTROPY, data, alphas=[0.5])
    wrapped = nn.DataParallel(start)
    found = interpolate(nn.DataParallel(model), wrapped, end, CROSS_ENTROPY, data, alphas=[0.5])
    compiled = {f"_orig_mod.module.{name}": tensor for name, tensor in start.state_dict().items()}
    assert found == expected == interpolate(model, compiled, end, CROSS_ENTROPY, data, alphas=[0.5])


def test_a_line_meets_its_ends_and_their_common_values_exactly():
    model = networks.convnet()
    start, end = networks.convnet(1).double(), networks.convnet(2).double()
    end[7].bias.data = start[7].bias.data.clone()
    between = line(model.double(), start, end)
    for alpha, expected in ((0.0, start), (1.0, end)):
        assert all(torch.equal(between.at(alpha)[name], t) for name, t in expected.state_dict().items())
    assert torch.equal(between.at(0.3)["7.bias"], start[7].bias)
    assert between.at(0.3)["1.num_batches_tracked"].dtype == torch.int64
    assert between.at(0.3)["0.weight"].data_ptr() != between.at(0.0)["0.weight"].data_ptr()


def test_a_line_is_made_of_copies():
    start = networks.mlp(1)
    between = line(networks.mlp(), start, networks.mlp(2))
    kept = between.at(0.0)["0.weight"].clone()
    with torch.no_grad():
        start[0].weight.add_(1)
    assert torch.equal(between.at(0.0)["0.weight"], kept)


def test_accuracy_is_of_class_scores_alone():
    model, data = nn.Identity(), (torch.zeros(3, 2), torch.zeros(3, 2))
    assert measure(model, {}, MSE, Passes(data)) == (0.0, None)
    scores = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # (N, C, pixels): the classes are 0 and 1
    found = measure(model, {}, lambda z, y: z.mean(), Passes((scores, torch.tensor([[0, 0]]))))
    assert found == (0.5, 0.5)


def test_outputs_may_be_a_dictionary():
    class Named(nn.Linear):
        def forward(self, input: Tensor) -> dict[str, Tensor]:
            return {"logits": super().forward(input)}

    model = Named(1, 1, bias=False)
    path = interpolate(model, weight(0.0), weight(2.0), lambda out, y: MSE(out["logits"], y), ONE, alphas=[0.5])
    assert path.rows() == [{"alpha": 0.5, "loss": 0.0, "density": 1.0}]


def test_density_counts_the_masked_weights_or_else_those_that_could_be():
    model = networks.convnet()
    assert weight_names(model) == ["0.weight", "4.weight", "7.weight"]  # neither the depthwise nor batch norm
    assert weight_names(model, {"7.weight": torch.ones(10, 48, dtype=torch.bool)}, None) == ["7.weight"]
    assert density_of({"a": torch.tensor([0.0, 1.0]), "b": torch.zeros(2)}, ["a", "b"]) == 0.25


def test_masks_of_one_end_only_leave_the_other_dense():
    masks = {"weight": torch.tensor([[True, False]])}
    between = line(nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(2, 1), masks=[masks, None])
    assert int(between.at(0.0)["weight"].count_nonzero()) == 1
    assert int(between.at(1.0)["weight"].count_nonzero()) == 2
    assert union(masks, None) is None


def test_accuracy_and_test_barriers():
    rows = [(0.0, 1.0, 0.9, 2.0, 0.8), (0.5, 1.5, 0.95, 4.0, 0.2), (1.0, 1.0, 0.9, 2.0, 0.4), (1.2, 9.0, 0.0, 9.0, 0.0)]
    path = Path(tuple(Point(a, loss, acc, 1.0, test, test_acc) for a, loss, acc, test, test_acc in rows))
    assert barrier(path).accuracy == 0.0  # it rises on the way: the ends are the lowest
    found = barrier(path, test=True)
    assert (found.loss, found.loss_alpha, found.highest_loss, found.highest_alpha) == (2.0, 0.5, 4.0, 0.5)
    assert (found.accuracy, found.accuracy_alpha, found.lowest_accuracy) == (pytest.approx(0.4), 0.5, 0.2)


def test_ends_within_rounding_are_ends():
    alphas = torch.linspace(-0.2, 1.2, 29)  # float32: its fifth is 1.5e-8
    path = interpolate(nn.Linear(1, 1, bias=False), weight(-1.0), weight(1.0), double_well, ONE, alphas=alphas)
    assert barrier(path).loss == pytest.approx(1.0)


def test_a_barrier_without_its_ends_is_refused():
    path = Path((Point(0.0, 1.0, None, 1.0), Point(0.5, 1.0, None, 1.0), Point(0.9, 1.0, None, 1.0)))
    with pytest.raises(DataError, match=r"ends, alpha = 0 and alpha = 1, got none at 1; add it to `alphas`"):
        barrier(path)


def test_a_barrier_of_nothing_but_ends_is_refused():
    with pytest.raises(DataError, match=r"points between alpha = 0 and 1, got none; add for instance alpha = 0\.5"):
        barrier(Path((Point(0.0, 1.0, None, 1.0), Point(1.0, 1.0, None, 1.0))))


def test_a_column_that_was_not_measured_is_unknown():
    path = Path(tuple(Point(alpha, 1.0, None, 1.0) for alpha in UNIT))
    with pytest.raises(UnknownNameError, match="unknown column 'test_loss'; did you mean 'loss'"):
        barrier(path, test=True)
    with pytest.raises(UnknownNameError, match="unknown column 'accuracy'"):
        path.values("accuracy")


@pytest.mark.parametrize("alphas", [[], [0.0, float("nan")], [float("inf")]])
def test_alphas_are_finite_numbers(alphas: list[float]):
    with pytest.raises(SettingError, match="one or more finite numbers as alphas"):
        interpolate(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), MSE, ONE, alphas=alphas)


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(StateError, match="expected a finite loss, got nan"):
        interpolate(nn.Linear(1, 1, bias=False), weight(float("nan")), weight(1.0), MSE, ONE)


def test_a_loss_of_every_sample_is_refused():
    with pytest.raises(SettingError, match="expected a loss that gives the mean over the batch as one number"):
        interpolate(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1), nn.MSELoss(reduction="none"), ONE)


def test_a_loader_that_shuffles_is_found_out():
    model, data = networks.mlp(), torch.utils.data.TensorDataset(*networks.batch(networks.mlp(), 0, 64))
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    with pytest.raises(DataError, match="the same samples in the same order in every pass"):
        interpolate(model, model, model, CROSS_ENTROPY, loader)


def test_two_architectures_are_refused():
    model = networks.mlp()
    with pytest.raises(StateError, match=r"got nothing for \['0.bias', '2.bias', '4.bias'\] and \[\] besides"):
        interpolate(model, model, networks.mlp(bias=False), CROSS_ENTROPY, networks.batch(model, 0))
    with pytest.raises(StateError, match=r"and \['1.running_mean', .*\] besides; only states of one architecture"):
        state_of(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)))
    with pytest.raises(StateError, match=r"and \['0.bias', '1.weight', '1.bias'\] and 4 more besides"):
        state_of(nn.Sequential(nn.Linear(8, 8, bias=False)), nn.Sequential(*(nn.Linear(8, 8) for _ in range(4))))


def test_other_widths_are_refused():
    with pytest.raises(StateError, match=r"expected 'weight' of shape \(2, 3\), got \(2, 4\); only states of one"):
        state_of(nn.Linear(3, 2), nn.Linear(4, 2))


def test_what_is_no_state_is_refused():
    with pytest.raises(StateError, match=r"expected a state dict or a module, got str; pass model.state_dict\(\)"):
        state_of(nn.Linear(1, 1), "model.pt")
    with pytest.raises(StateError, match=r"state dict of tensors, got something else for \['model', 'epoch'\]"):
        state_of(nn.Linear(1, 1), {"model": OrderedDict(), "epoch": 3})


def test_masks_that_do_not_fit_are_refused():
    model = nn.Linear(2, 1)
    with pytest.raises(StateError, match=r"got masks of \['fc.weight'\] besides; these masks belong to another model"):
        state_of(model, model, {"fc.weight": torch.ones(1, 2, dtype=torch.bool)})
    with pytest.raises(StateError, match=r"expected a mask of shape \(1, 2\) for 'weight', got \(2, 1\)"):
        state_of(model, model, {"weight": torch.ones(2, 1, dtype=torch.bool)})
    with pytest.raises(SettingError, match="masks for all states or one each of 2, got a list of 3"):
        one_each([None, None, None], 2)
    with pytest.raises(StateError, match="got none for"):
        union({"a": torch.ones(1, dtype=torch.bool)}, {})
