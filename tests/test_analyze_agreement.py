import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gossamer.analyze.landscape.agreement import disagreement, disagreements, independent_disagreement, predictions
from gossamer.analyze.landscape.ensemble import averaged, ensemble_accuracy
from gossamer.analyze.landscape.outputs import collect_outputs
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from gossamer.core.interval import wilson_interval
from tests import networks
from tests.reference import agreement as reference


def logits(seed: int, members: int = 3, samples: int = 40, classes: int = 5) -> Tensor:
    """Whole numbers, so that ties are frequent."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 4, (members, samples, classes), generator=draws).float()


def labels(seed: int, samples: int = 40, classes: int = 5) -> Tensor:
    return torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_disagreement_agrees_with_a_plain_loop(seed: int, members: int):
    scores = logits(seed, members)
    found = disagreements(scores)
    predicted = [reference.predicted(member.tolist()) for member in scores]
    expected = [[reference.disagreement(a, b) for b in predicted] for a in predicted]
    assert found.shares.tolist() == expected
    pairs = [expected[i][j] for i in range(members) for j in range(i)]
    assert found.mean == pytest.approx(statistics.mean(pairs))
    assert found.std == (pytest.approx(statistics.stdev(pairs)) if members > 2 else None)
    assert found.samples == 40


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.sampled_from(["probabilities", "logits"]))
def test_an_ensemble_agrees_with_a_plain_loop(seed: int, members: int, average: str):
    draws = torch.Generator().manual_seed(seed)
    scores, truth = 3 * torch.randn(members, 40, 5, generator=draws), labels(seed)
    found = ensemble_accuracy(scores, truth, average=average)
    assert found.accuracy == reference.ensemble(scores.tolist(), truth.tolist(), average == "logits")
    alone = [reference.ensemble([member], truth.tolist()) for member in scores.tolist()]
    assert found.members == tuple(alone)
    assert (found.low, found.high) == wilson_interval(found.accuracy, 40)
    assert found.gain == pytest.approx(found.accuracy - statistics.mean(alone))
    assert found.as_dict() == {
        "members": members,
        "member_accuracy": pytest.approx(statistics.mean(alone)),
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "samples": 40,
    }


def test_one_sure_network_outvotes_by_probabilities_another_by_logits():
    # probabilities of class 0: 0.9999 and 0.27, mean 0.63; logits of 0 against 1: 9 - 30 < 0 for another pair
    first, second = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert ensemble_accuracy([first, second], torch.tensor([0])).accuracy == 1.0
    loud = torch.tensor([[0.0, 30.0]])  # as sure as the first, by probability, of the other class
    three = [first, torch.tensor([[2.0, 0.0]]), loud]
    assert ensemble_accuracy(three, torch.tensor([0])).accuracy == 1.0
    assert ensemble_accuracy(three, torch.tensor([0]), average="logits").accuracy == 0.0
    assert averaged(three, "logits").tolist() == [[11 / 3, 10.0]]
    expected = (1 / (1 + math.exp(-9)) + 1 / (1 + math.exp(-2)) + 1 / (1 + math.exp(30))) / 3
    assert averaged(three)[0].tolist() == pytest.approx([expected, 1 - expected])


def test_of_equal_scores_the_first_class_counts():
    assert predictions(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0]])).tolist() == [0, 1]
    tie = [torch.tensor([[0.0, 3.0, 0.0]]), torch.tensor([[3.0, 0.0, 0.0]])]
    assert ensemble_accuracy(tie, torch.tensor([0])).accuracy == 1.0
    assert ensemble_accuracy(tie[::-1], torch.tensor([0])).accuracy == 1.0


def test_labels_scores_tensors_and_arrays_are_all_taken():
    scores, predicted = torch.tensor([[2.0, 1.0], [0.0, 1.0], [0.0, 1.0]]), [0, 0, 1]
    for first in (scores, scores.numpy(), scores.half(), scores.clone().requires_grad_()):
        for second in (torch.tensor(predicted), np.array(predicted), np.array(predicted, dtype=np.uint8)):
            assert disagreement(first, second) == 1 / 3
    assert ensemble_accuracy(scores.numpy()[None], np.array([0, 1, 1])).accuracy == 1.0
    assert ensemble_accuracy([scores.numpy()], np.array([0, 1, 1])).members == (1.0,)


def test_rows_are_the_pairs():
    found = disagreements([torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1, 1])])
    assert found.rows() == [
        {"first": 0, "second": 1, "disagreement": 0.5},
        {"first": 0, "second": 2, "disagreement": 1.0},
        {"first": 1, "second": 2, "disagreement": 0.5},
    ]
    assert (found.mean, found.std) == (pytest.approx(2 / 3), pytest.approx(math.sqrt(1 / 12)))


def test_independent_errors_meet_their_expectation():
    draws = np.random.default_rng(0)
    first_right, second_right, classes, count = 0.9, 0.7, 4, 200_000
    truth = draws.integers(classes, size=count)
    predicted = []
    for accuracy in (first_right, second_right):
        wrong = (truth + draws.integers(1, classes, size=count)) % classes
        predicted.append(np.where(draws.random(count) < accuracy, truth, wrong))
    expected = independent_disagreement(first_right, second_right, classes)
    assert expected == pytest.approx(1 - 0.63 - 0.03 / 3)
    low, high = wilson_interval(disagreement(*predicted), count, confidence=0.9999)
    assert low < expected < high
    assert independent_disagreement(1.0, 1.0, 2) == 0.0


def test_outputs_are_those_of_evaluation_mode_in_the_order_of_the_data():
    model = nn.Sequential(*networks.convnet(), nn.Dropout())
    inputs, truth = networks.batch(model, 0, 20)
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    statistics_before = model[1].running_mean.clone()
    found, labels_found = collect_outputs(model, (inputs, truth), batch_size=7)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(model[1].running_mean, statistics_before)
    assert all(p.grad is None for p in model.parameters())
    with torch.no_grad():
        torch.testing.assert_close(found, model.eval()(inputs))
    assert torch.equal(labels_found, truth)
    assert not found.requires_grad


def test_outputs_of_another_state_leave_the_model_as_it_was():
    model, other = networks.mlp(0), networks.mlp(1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    data = networks.batch(model, 0)
    found, _ = collect_outputs(model, data, state=other.state_dict())
    assert torch.equal(found, other(data[0]).detach())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_loader_that_shuffles_is_refused():
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.eye(2), torch.eye(2)), shuffle=True)
    with pytest.raises(DataError, match="same order for every network, got a DataLoader that shuffles"):
        collect_outputs(nn.Identity(), loader)
    quiet = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.eye(2), torch.eye(2)))
    assert torch.equal(collect_outputs(nn.Identity(), quiet)[0], torch.eye(2))


def test_outputs_that_are_no_tensor_are_refused():
    with pytest.raises(StateError, match="a model that gives one tensor, got tuple; wrap it in one"):
        collect_outputs(nn.LSTM(2, 2), (torch.zeros(3, 2), torch.zeros(3)))


@pytest.mark.parametrize(
    "given_outputs", [torch.zeros(3), torch.zeros(2, 3, 4), torch.zeros(0, 3), torch.eye(2).long()]
)
def test_neither_scores_nor_labels_are_refused(given_outputs: Tensor):
    with pytest.raises(DataError, match=r"class scores \(N, C\) as floats, or labels \(N,\) as whole numbers, got"):
        predictions(given_outputs)


def test_scores_of_a_network_that_diverged_are_refused():
    with pytest.raises(DataError, match="class scores that are numbers, got NaN"):
        disagreement(torch.tensor([[0.0, float("nan")]]), torch.tensor([0]))
    with pytest.raises(DataError, match="class scores that are numbers, got NaN"):
        ensemble_accuracy([torch.tensor([[0.0, float("nan")]])], torch.tensor([0]))


def test_other_numbers_of_samples_are_refused():
    with pytest.raises(DataError, match=r"predictions of the same samples, got \[2, 3\] of them"):
        disagreement(torch.tensor([0, 1]), torch.tensor([0, 1, 2]))


def test_one_network_has_no_disagreement():
    with pytest.raises(SettingError, match="two networks or more to compare, got 1"):
        disagreements([torch.tensor([0, 1])])


@pytest.mark.parametrize("accuracies", [(97.0, 0.5), (0.5, -0.1), (float("nan"), 0.5)])
def test_accuracies_are_shares(accuracies: tuple[float, float]):
    with pytest.raises(SettingError, match=r"accuracies in \[0, 1\], got .*; pass shares, not per cent"):
        independent_disagreement(*accuracies, classes=10)


def test_one_class_is_none():
    with pytest.raises(SettingError, match="2 classes or more, got 1"):
        independent_disagreement(0.5, 0.5, classes=1)


def test_another_average_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown average 'logit'; did you mean 'logits'"):
        averaged(logits(0), "logit")


@pytest.mark.parametrize("outputs", [[], [torch.zeros(2, 3), torch.zeros(2, 4)], [torch.zeros(3)]])
def test_logits_of_other_shapes_are_refused(outputs: list[Tensor]):
    with pytest.raises(DataError, match=r"logits \(N, C\) of one or more networks on the same samples, got shapes"):
        averaged(outputs)


@pytest.mark.parametrize("truth", [torch.tensor([0]), torch.tensor([0, 3]), torch.tensor([-1, 0])])
def test_labels_that_do_not_fit_are_refused(truth: Tensor):
    with pytest.raises(DataError, match=r"expected 2 labels in 0\.\.2, got [12] in"):
        ensemble_accuracy(torch.zeros(1, 2, 3), truth)


def test_a_confidence_is_below_one():
    with pytest.raises(SettingError, match="a confidence between 0 and 1, got 95"):
        ensemble_accuracy(logits(0), labels(0), confidence=95)
