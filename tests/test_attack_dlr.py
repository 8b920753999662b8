"""The difference of logits ratio against its slow twin, its invariances, and its number of classes."""

import pytest
import torch

from gossamer.attack.dlr import dlr, dlr_targeted
from gossamer.attack.losses import LOSSES
from gossamer.core.errors import SettingError
from tests.reference import dlr as twin


def some_logits(classes, n=200):
    stream = torch.Generator().manual_seed(classes)
    logits = 5 * torch.randn(n, classes, generator=stream, dtype=torch.float64)
    labels = torch.randint(classes, (n,), generator=stream)
    return logits, labels, (labels + 1 + torch.randint(classes - 1, (n,), generator=stream)) % classes


@pytest.mark.parametrize("classes", [3, 4, 10, 100])
def test_as_the_twin(classes):
    logits, labels, _ = some_logits(classes)
    rows = zip(logits.tolist(), labels.tolist(), strict=True)
    expected = torch.tensor([twin.dlr(row, label) for row, label in rows], dtype=torch.float64)
    torch.testing.assert_close(dlr(logits, labels), expected, rtol=1e-9, atol=1e-9)
    assert LOSSES["dlr"] is dlr


@pytest.mark.parametrize("classes", [4, 5, 10, 100])
def test_targeted_as_the_twin(classes):
    logits, labels, targets = some_logits(classes)
    rows = zip(logits.tolist(), labels.tolist(), targets.tolist(), strict=True)
    expected = torch.tensor([twin.dlr_targeted(*row) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(dlr_targeted(logits, labels, targets), expected, rtol=1e-9, atol=1e-9)


def test_by_hand():
    logits = torch.tensor([[5.0, 3.0, 1.0, 0.0]] * 2)
    assert dlr(logits, torch.tensor([0, 1])).tolist() == [-0.5, 0.5]  # -(5 - 3)/(5 - 1), -(3 - 5)/(5 - 1)
    assert dlr_targeted(logits[:1], torch.tensor([0]), torch.tensor([3])).item() == pytest.approx(-5 / 4.5)


def test_positive_exactly_where_the_label_is_not_the_largest():
    logits, labels, _ = some_logits(10)
    assert torch.equal(dlr(logits, labels) > 0, logits.argmax(1) != labels)


def test_scale_and_shift_change_nothing_where_cross_entropy_saturates():
    logits, labels, targets = some_logits(10)
    torch.testing.assert_close(dlr(1e4 * logits + 7, labels), dlr(logits, labels))
    torch.testing.assert_close(dlr_targeted(1e4 * logits + 7, labels, targets), dlr_targeted(logits, labels, targets))
    sure = torch.tensor([[300.0, 20.0, 10.0, 0.0]], requires_grad=True)
    (of_entropy,) = torch.autograd.grad(LOSSES["ce"](sure, torch.tensor([0])).sum(), sure)
    (of_ratio,) = torch.autograd.grad(dlr(sure, torch.tensor([0])).sum(), sure)
    assert of_entropy.abs().max() == 0
    assert of_ratio[0, 1] > 0


def test_equal_logits_give_finite_values_and_gradients():
    logits = torch.zeros(2, 5, requires_grad=True)
    values = dlr(logits, torch.tensor([0, 1])) + dlr_targeted(logits, torch.tensor([0, 1]), torch.tensor([2, 2]))
    assert values.tolist() == [0, 0]
    assert torch.autograd.grad(values.sum(), logits)[0].isfinite().all()


def test_too_few_classes_are_refused():
    labels = torch.tensor([0])
    with pytest.raises(SettingError, match="the DLR loss needs 3 classes or more, got 2; use loss='ce'"):
        dlr(torch.zeros(1, 2), labels)
    with pytest.raises(SettingError, match="the targeted DLR loss needs 4 classes or more, got 3; use loss='dlr'"):
        dlr_targeted(torch.zeros(1, 3), labels, labels)


def test_as_torchattacks():
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    logits, labels, targets = some_logits(10)
    theirs = torchattacks.APGD(torch.nn.Identity()).dlr_loss(logits, labels)
    torch.testing.assert_close(dlr(logits, labels), theirs, rtol=0, atol=1e-6)
    theirs = torchattacks.APGDT(torch.nn.Identity()).dlr_loss_targeted(logits, labels, targets)
    torch.testing.assert_close(dlr_targeted(logits, labels, targets), theirs, rtol=0, atol=1e-6)
