import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gossamer.core.errors import DataError, UnknownNameError
from gossamer.hardness import check as checks
from gossamer.hardness import consistency, el2n, grand, last_layer_grand, loss, margin
from tests.reference import dynamics as reference


def random_case(seed, *leading, samples=8, classes=5):
    stream = torch.Generator().manual_seed(seed)
    logits = torch.randn(*leading, samples, classes, generator=stream, dtype=torch.float64) * 5
    return logits, torch.randint(classes, (samples,), generator=stream)


def exact(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("seed", range(20))
def test_margin_loss_and_consistency_agree_with_their_twins(seed):
    logits, labels = random_case(seed, 3)
    models, classes = logits.tolist(), labels.tolist()
    torch.testing.assert_close(margin(logits, labels), exact(reference.over_models(models, classes, reference.margin)))
    torch.testing.assert_close(loss(logits, labels), exact(reference.over_models(models, classes, reference.loss)))
    of_probabilities = reference.over_models(
        models, classes, lambda row, label: reference.margin(reference.probabilities(row), label)
    )
    torch.testing.assert_close(margin(logits, labels, of="probabilities"), exact(of_probabilities))
    wrong = reference.consistency([[model] for model in models], classes)
    torch.testing.assert_close(consistency(logits, labels), exact(wrong))


@pytest.mark.parametrize("seed", range(20))
def test_held_out_consistency_over_epochs_agrees_with_its_twin(seed):
    logits, labels = random_case(seed, 4, 3)
    held_out = torch.rand(4, 8, generator=torch.Generator().manual_seed(seed)) < 0.5
    held_out[seed % 4] = True
    for mask in (None, held_out):
        expected = reference.consistency(logits.tolist(), labels.tolist(), None if mask is None else mask.tolist())
        torch.testing.assert_close(consistency(logits, labels, held_out=mask), exact(expected))


def test_margin_by_hand():
    logits = torch.tensor([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    assert margin(logits, torch.tensor([0, 2, 1])).tolist() == [-2.0, 3.0, 0.0]
    assert margin(torch.zeros(1, 4), torch.tensor([2]), of="probabilities").item() == 0.0


def test_loss_by_hand_and_of_certain_samples():
    assert loss(torch.zeros(1, 4), torch.tensor([2])).item() == pytest.approx(math.log(4), rel=1e-15)
    # margin 80, the true class first: ln(1 + e⁻⁸⁰) is e⁻⁸⁰ to 35 digits, of which -ln p has none
    logits = torch.tensor([[80.0, 0.0], [0.0, 80.0], [1000.0, 0.0], [0.0, 1000.0]])
    small, large, least, most = loss(logits, torch.zeros(4, dtype=torch.int64)).tolist()
    assert small == pytest.approx(math.exp(-80), rel=1e-12)
    assert large == 80.0
    assert least == 0.0
    assert most == 1000.0


def test_loss_is_that_of_torch():
    logits, labels = random_case(0)
    torch.testing.assert_close(loss(logits, labels), nn.functional.cross_entropy(logits, labels, reduction="none"))


def test_consistency_by_hand():
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    models = torch.tensor([[right, right], [wrong, right], [right, right], [wrong, wrong]])
    labels = torch.zeros(2, dtype=torch.int64)
    assert consistency(models, labels).tolist() == [0.5, 0.25]
    held_out = torch.tensor([[True, False], [False, False], [True, False], [False, True]])
    assert consistency(models, labels, held_out=held_out).tolist() == [0.0, 1.0]
    assert consistency(models[0], labels).tolist() == [0.0, 0.0]
    assert torch.equal(consistency(models[:, None], labels), consistency(models, labels))


def test_a_tie_is_wrong_whatever_the_class():
    assert consistency(torch.zeros(1, 3, 3), torch.tensor([0, 1, 2])).tolist() == [1.0, 1.0, 1.0]


def test_consistency_refuses_a_mask_that_does_not_fit():
    logits, labels = random_case(0, 3)
    with pytest.raises(DataError, match=r"expected held_out as bool \(K, N\) = \(3, 8\), got torch.bool \(8, 3\)"):
        consistency(logits, labels, held_out=torch.ones(8, 3, dtype=torch.bool))
    with pytest.raises(DataError, match=r"expected held_out as bool \(K, N\) = \(3, 8\), got torch.float32 \(3, 8\)"):
        consistency(logits, labels, held_out=torch.ones(3, 8))
    held_out = torch.ones(3, 8, dtype=torch.bool)
    held_out[:, 5:7] = False
    with pytest.raises(DataError, match="2 samples were held out by no model, the first is 5; train more models"):
        consistency(logits, labels, held_out=held_out)


def test_margin_refuses_another_kind():
    with pytest.raises(UnknownNameError, match="unknown kind of margin 'logit'; did you mean 'logits'"):
        margin(torch.zeros(1, 2), torch.tensor([0]), of="logit")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_last_layer_grand_is_grand_of_the_layer_alone(bias, seed):
    stream = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 7, 6, generator=stream, dtype=torch.float64)
    labels = torch.randint(4, (7,), generator=stream)
    layers = [nn.Linear(6, 4, bias=bias, dtype=torch.float64) for _ in range(2)]
    logits = torch.stack([layer(part) for layer, part in zip(layers, features, strict=True)])
    apart = [grand(layer, part, labels) for layer, part in zip(layers, features, strict=True)]
    torch.testing.assert_close(last_layer_grand(logits, labels, features, bias=bias), torch.stack(apart).mean(0))
    torch.testing.assert_close(last_layer_grand(logits[0], labels, features[0], bias=bias), apart[0])


def test_last_layer_grand_by_hand():
    # certainly wrong: ‖p - y‖ = √2; ‖(2, 2, 1)‖ = 3, ‖(3, 4)‖ = 5
    logits = torch.tensor([[0.0, 999.0]])
    label = torch.tensor([0])
    assert last_layer_grand(logits, label, torch.tensor([[2.0, 2.0]])).item() == pytest.approx(3 * math.sqrt(2))
    without = last_layer_grand(logits, label, torch.tensor([[3.0, 4.0]]), bias=False)
    assert without.item() == pytest.approx(5 * math.sqrt(2))


@pytest.mark.parametrize("features", [torch.zeros(8), torch.zeros(7, 3), torch.zeros(2, 8, 3), torch.zeros(8, 0)])
def test_last_layer_grand_refuses_features_that_do_not_fit(features):
    logits, labels = random_case(0)
    with pytest.raises(DataError, match=r"expected features \(N, D\) or \(K, N, D\) for logits \(1, 8, 5\)"):
        last_layer_grand(logits, labels, features)


def test_last_layer_grand_refuses_features_that_are_not_finite():
    logits, labels = random_case(0)
    features = torch.zeros(8, 3)
    features[2, 1] = math.nan
    with pytest.raises(DataError, match="some features are not finite; the model has diverged"):
        last_layer_grand(logits, labels, features)


ALL = {
    "el2n": el2n,
    "margin": margin,
    "probabilities": lambda logits, labels: margin(logits, labels, of="probabilities"),
    "loss": loss,
    "consistency": consistency,
    "last_layer_grand": lambda logits, labels: last_layer_grand(logits, labels, logits.square()),
}


@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**6), models=st.integers(1, 3), samples=st.integers(1, 9), classes=st.integers(2, 6))
def test_samples_classes_and_models_are_interchangeable(name, seed, models, samples, classes):
    logits, labels = random_case(seed, models, samples=samples, classes=classes)
    stream = torch.Generator().manual_seed(seed)
    scores = ALL[name](logits, labels)
    assert scores.shape == (samples,)
    assert scores.dtype == torch.float64
    order = torch.randperm(samples, generator=stream)
    torch.testing.assert_close(ALL[name](logits[:, order], labels[order]), scores[order])
    order = torch.randperm(models, generator=stream)
    torch.testing.assert_close(ALL[name](logits[order], labels), scores)
    order = torch.randperm(classes, generator=stream)  # class c is now called order.argsort()[c]
    torch.testing.assert_close(ALL[name](logits[..., order], order.argsort()[labels]), scores)


@pytest.mark.parametrize("name", [name for name in ALL if name != "last_layer_grand"])
@given(seed=st.integers(0, 10**6), constant=st.floats(-100, 100))
def test_a_constant_added_to_all_logits_changes_nothing(name, seed, constant):
    logits, labels = random_case(seed, 2)
    torch.testing.assert_close(ALL[name](logits + constant, labels), ALL[name](logits, labels))


@pytest.mark.parametrize("name", ALL)
@given(seed=st.integers(0, 10**6), more=st.floats(0.1, 10))
def test_more_for_the_true_class_is_never_harder(name, seed, more):
    logits, labels = random_case(seed)
    raised = logits + more * nn.functional.one_hot(labels, 5)
    if name == "last_layer_grand":
        easier = last_layer_grand(raised, labels, logits.square())
    else:
        easier = ALL[name](raised, labels)
    assert (easier <= ALL[name](logits, labels) + 1e-12).all()


@pytest.mark.parametrize("name", ALL)
def test_blocks_do_not_change_a_bit(name, monkeypatch):
    logits, labels = random_case(1, 2, samples=50)
    whole = ALL[name](logits, labels)
    monkeypatch.setattr(checks, "BLOCK", 15)  # three rows at a time
    assert torch.equal(ALL[name](logits, labels), whole)


@pytest.mark.parametrize("name", ALL)
def test_half_precision_and_gradients_and_short_labels_are_taken(name):
    logits, labels = random_case(2, 2)
    expected = ALL[name](logits.half().double(), labels)
    scores = ALL[name](logits.half().requires_grad_(), labels.to(torch.uint8))
    if name != "last_layer_grand":  # whose features are squares in half precision here
        assert torch.equal(scores, expected)
    assert not scores.requires_grad


@pytest.mark.parametrize("name", ALL)
def test_scores_of_logits_refuse_what_is_none(name):
    labels = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(DataError, match=r"expected logits \(N, C\) or \(K, N, C\) and labels \(N,\), none empty"):
        ALL[name](torch.zeros(3, 5), labels)
    with pytest.raises(DataError, match=r"expected at least 2 classes, got 1; give a single output z"):
        ALL[name](torch.zeros(4, 1), labels)
    with pytest.raises(DataError, match=r"expected logits as floating-point numbers, got torch.int64"):
        ALL[name](torch.zeros(4, 5, dtype=torch.int64), labels)
    with pytest.raises(DataError, match=r"label 7 at index 1 is outside 0\.\.4"):
        ALL[name](torch.zeros(4, 5), torch.tensor([0, 7, 0, 0]))
    with pytest.raises(DataError, match=r"1 samples have logits that are not finite \(model 0\)"):
        ALL[name](torch.tensor([[0.0, math.nan]]), labels[:1])
