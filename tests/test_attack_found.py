"""A model, and everything around it, is left as an attack finds it."""

import sys
from copy import deepcopy

import pytest
import torch
from torch import nn

from gossamer.attack import FGSM, P1_TRAIN_RELEASED, PGD, as_found
from gossamer.core.errors import UnknownNameError
from tests.attacked import data, network

MODES = ["eval", "train", "train_counted"]
ATTACKS = {
    "fgsm": FGSM(),
    "pgd": PGD(steps=2),
    "pgd l2": PGD(steps=2, norm="l2", restarts=2),
    "pgd in training mode": PGD(steps=2, batch_norm="train"),
}


def frozen_batch_norm():
    """In training, but for its batch norm."""
    model = network(dropout=0.5).train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    return model


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("mode", ["frozen", "train", "eval"])
def test_modes_weights_buffers_and_gradients_are_as_found(attack, mode):
    model = frozen_batch_norm() if mode == "frozen" else network(dropout=0.5).train(mode == "train")
    before = deepcopy(model)
    buffers = {name: id(buffer) for name, buffer in model.named_buffers()}
    attack(model, *data())
    assert [module.training for module in model.modules()] == [module.training for module in before.modules()]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before.state_dict()[name])
    assert {name: id(buffer) for name, buffer in model.named_buffers()} == buffers
    assert all(weight.grad is None for weight in model.parameters())
    flags = [weight.requires_grad for weight in before.parameters()]
    assert [weight.requires_grad for weight in model.parameters()] == flags


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_gradients_that_are_there_stay(attack):
    model = network()
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, 3.0)
    attack(model, *data())
    assert all(bool((weight.grad == 3).all()) for weight in model.parameters())


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_global_random_state_and_tracing_stay(attack):
    model = network(dropout=0.5)
    torch.manual_seed(5)
    before, seen = torch.random.get_rng_state(), []

    def trace(*event):
        seen.append(event)

    found = sys.gettrace()
    sys.settrace(trace)
    try:
        attack(model, *data())
        assert sys.gettrace() is trace
    finally:
        sys.settrace(found)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_images_and_labels_are_not_written_to():
    images, labels = data()
    before = images.clone(), labels.clone()
    PGD(steps=2)(network(), images, labels)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert not images.requires_grad


def test_what_the_model_sees_in_each_mode():
    seen = {}
    for mode in MODES:
        model = frozen_batch_norm()
        with as_found(model, mode):
            seen[mode] = [model[3].training, model[1].training]
    assert seen == {"eval": [False, False], "train": [True, False], "train_counted": [True, False]}


def test_a_model_in_evaluation_mode_is_attacked_in_training_mode_if_asked():
    model = network().eval()
    with as_found(model, "train"):
        assert all(module.training for module in model.modules())
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(("mode", "counted"), [("eval", 0), ("train", 0), ("train_counted", 10)])
def test_forward_passes_that_running_statistics_count(mode, counted):
    model = network()
    before, mean = int(model[1].num_batches_tracked), model[1].running_mean.clone()
    PGD(steps=10, batch_norm=mode)(model, *data())
    assert int(model[1].num_batches_tracked) - before == counted
    assert torch.equal(model[1].running_mean, mean) is (counted == 0)


def test_the_released_code_counts_ten():
    model = network()
    before = int(model[1].num_batches_tracked)
    P1_TRAIN_RELEASED(model, *data())
    assert int(model[1].num_batches_tracked) - before == 10


def test_training_mode_uses_the_statistics_of_the_batch():
    images, labels = data()
    model = network()
    model[1].running_mean.add_(5)
    moved = PGD(steps=2, batch_norm="train")(model, images, labels)
    model[1].running_mean.sub_(5)
    assert torch.equal(moved, PGD(steps=2, batch_norm="train")(model, images, labels))


class Fails(nn.Module):
    def forward(self, images):
        raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize("mode", MODES)
def test_an_exception_leaves_the_model_as_found_too(mode):
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(), Fails()).train()
    model[1].eval()
    statistics = model[0].running_mean
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        PGD(batch_norm=mode)(model, *data())
    assert [module.training for module in model] == [True, False, True]
    assert model[0].running_mean is statistics
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_a_buffer_of_two_modules_stays_one_during_the_attack():
    model = nn.Sequential(nn.BatchNorm2d(1), nn.BatchNorm2d(1))
    model[1].running_mean = model[0].running_mean
    with as_found(model, "train"):
        assert model[1].running_mean is model[0].running_mean
        model(torch.rand(4, 1, 2, 2))
    assert model[1].running_mean is model[0].running_mean
    assert model[0].running_mean.item() == 0


def test_a_graph_of_the_caller_survives_an_attack():
    """Buffers are not written to, which would make this backward pass refuse."""
    model = network().eval()
    images, labels = data()
    loss = nn.functional.cross_entropy(model(images), labels)
    PGD(steps=2, batch_norm="train")(model, images, labels)
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_a_compiled_model_is_not_compiled_again_by_later_attacks():
    torch._dynamo.reset()
    model = torch.compile(network(), backend="eager")
    images, labels = data()
    attack = PGD(steps=2)
    expected = attack(network(), images, labels)
    assert torch.equal(attack(model, images, labels), expected)
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert torch.equal(attack(model, images, labels), expected)
    torch._dynamo.reset()


def test_an_unknown_mode_is_refused():
    with pytest.raises(UnknownNameError, match="unknown batch-norm mode 'evil'; did you mean 'eval'"):
        PGD(batch_norm="evil")
    with pytest.raises(UnknownNameError, match="unknown batch-norm mode"), as_found(network(), "none"):
        pass
