"""APGD against its slow twin, step by step, and what it promises of ball, restarts, targets and few classes."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from gossamer.attack import APGD, LOSSES, PGD, wilson
from gossamer.attack.attempts import rivals
from gossamer.attack.ball import largest_change
from gossamer.attack.climb import checkpoints
from gossamer.attack.common import is_right
from gossamer.attack.dlr import dlr_targeted
from gossamer.core.errors import DataError, SettingError, StateError, UnknownNameError
from tests.attacked import data, digits, network, trained
from tests.few_classes import first_digits
from tests.reference import apgd as twin

RADII = {"linf": 0.1, "l2": 0.7}


class Recorder(nn.Module):
    """Keeps every image that the model is asked about."""

    def __init__(self, model):
        super().__init__()
        self.model, self.seen = model, []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return self.model(images)


def right_data(model, n=6, **shape):
    """Images and the labels that the model gives them."""
    images, _ = data(1, n=n, **shape)
    images = images.to(next(model.parameters()).dtype)
    return images, model.eval()(images).argmax(1).detach()


def of_twin(model, image, label, loss, **settings):
    label = label.unsqueeze(0)
    return twin.apgd(
        lambda x: LOSSES[loss](model(x.unsqueeze(0)), label).sum(),
        lambda x: bool(model(x.unsqueeze(0)).argmax(1) != label),
        image,
        image,
        **settings,
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7, 10, 20, 33, 50, 99, 100, 101, 1000])
def test_checkpoints_as_the_twin(steps):
    assert checkpoints(steps) == twin.checkpoints(steps)


def test_checkpoints_of_the_paper():
    assert checkpoints(100) == [0, 22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.01), ("l2", 0.05)])
def test_every_step_as_the_twin_where_nothing_is_fooled(norm, eps, loss):
    model = network(3).double().eval()
    images, _ = right_data(model, n=40)
    # only samples that no step fools: all of them are in each of our batches then
    top = model(images).topk(2).values.diff().abs().flatten()
    images = images[top.topk(5).indices]
    labels = model(images).argmax(1).detach()
    recorder = Recorder(model)
    attack = APGD(eps=eps, norm=norm, loss=loss, steps=40, random_start=False)
    ours = attack(recorder, images, labels)
    assert len(recorder.seen) == 1 + 1 + 40  # the clean images, the start, and one pass a step
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        expected, asked, f_max = of_twin(model, image, label, loss, eps=eps, norm=norm, steps=40)
        torch.testing.assert_close(torch.stack([batch[row] for batch in recorder.seen[1:]]), torch.stack(asked))
        torch.testing.assert_close(ours[row], expected)
        assert f_max[-1] > f_max[0]


@pytest.mark.parametrize("rho", [0.05, 0.4, 0.75])
@pytest.mark.parametrize("momentum", [0.75, 1.0])
@pytest.mark.parametrize("start", [0.45, 0.5, 0.62])
def test_every_step_as_the_twin_around_a_maximum(start, momentum, rho):
    """The climb steps over the top again and again: rises alone do not say that it stalls."""
    model, image = Parabola(1.0).double(), torch.tensor([start, start + 0.03], dtype=torch.float64).view(1, 1, 1, 2)
    recorder, label = Recorder(model), torch.tensor(0)
    attack = APGD(eps=0.2, steps=60, random_start=False, momentum=momentum, rho=rho)
    ours = attack(recorder, image, label.unsqueeze(0))
    settings = {"eps": 0.2, "norm": "linf", "steps": 60, "alpha": momentum, "rho": rho}
    expected, asked, _ = of_twin(model, image[0], label, "ce", **settings)
    torch.testing.assert_close(torch.cat(recorder.seen[1:]), torch.stack(asked))
    torch.testing.assert_close(ours[0], expected)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_the_best_of_all_images_comes_back(steps):
    model, image = Parabola(0.5), torch.full((1, 1, 1, 1), 0.45)
    recorder = Recorder(model)
    ours = APGD(eps=0.2, steps=steps, random_start=False)(recorder, image, torch.tensor([0]))
    distances = (torch.cat(recorder.seen[1:]).flatten() - 0.5).abs()
    assert (ours - 0.5).abs().item() == distances.min()


@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("part", [0.1, 0.3, 1])
def test_result_as_the_twin_where_some_are_fooled_on_the_way(norm, loss, part):
    model = network(4).double().eval()
    images, labels = right_data(model, n=16)
    settings = {"eps": part * RADII[norm], "norm": norm, "steps": 12}
    ours = APGD(**settings, loss=loss, random_start=False)(model, images, labels)
    expected = [of_twin(model, *sample, loss, **settings)[0] for sample in zip(images, labels, strict=True)]
    torch.testing.assert_close(ours, torch.stack(expected))


def test_the_step_is_halved_where_the_climb_stalls():
    """A parabola around the clean image: its top is the start, so every step falls and every look halves."""
    model = nn.Sequential(Parabola(0.5)).double()
    recorder, image = Recorder(model), torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    attack = APGD(eps=0.2, steps=100, random_start=False, momentum=1.0)
    best = attack(recorder, image + 0.05, torch.tensor([0]))
    steps = torch.stack(recorder.seen[1:]).flatten().diff().abs()
    assert best.item() == pytest.approx(0.5, abs=1e-2)
    assert steps[:22].max() > 0.1
    assert steps[-1] <= 0.4 / 2**5


class Parabola(nn.Module):
    """Two classes; the logit of the second has its maximum, which does not reach that of the first, at a place."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, images):
        second = -1 - (images.flatten(1).sum(1) - self.place).square()
        return torch.stack([torch.zeros_like(second), second], dim=1)


@pytest.mark.parametrize("loss", ["ce", "dlr", "dlr-targeted"])
@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_within_the_ball_and_in_range(norm, loss, dtype):
    model = network(0, channels=3).to(dtype)
    images, labels = right_data(model, channels=3)
    before = images.clone()
    adversarial = APGD(eps=RADII[norm], norm=norm, loss=loss, steps=8)(model, images, labels)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == dtype
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert 0 < largest_change(adversarial, images, norm).max() <= RADII[norm] * (1 + 1e-5)
    assert torch.equal(images, before)


def test_samples_that_are_wrong_already_come_back_untouched():
    model = network(2)
    images, labels = right_data(model)
    labels[::2] = (labels[::2] + 1) % 10
    adversarial = APGD(eps=0.1, steps=5)(model, images, labels)
    assert torch.equal(adversarial[::2], images[::2])
    assert not (adversarial[1::2] == images[1::2]).flatten(1).all(1).any()


def test_only_unbroken_samples_are_computed():
    recorder = Recorder(trained())
    images, labels = (tensor[:60] for tensor in digits()[2:])
    adversarial = APGD(eps=0.1, steps=20)(recorder, images, labels)
    sizes = [len(batch) for batch in recorder.seen]
    broken = ~is_right(trained(), adversarial, labels)
    assert sizes[1] == int(is_right(trained(), images, labels).sum())
    assert sorted(sizes, reverse=True) == sizes
    assert 0 < sizes[-1] < sizes[1]
    assert int(broken.sum()) >= 60 - sizes[-1]


def test_more_steps_never_give_a_lower_loss_than_the_first():
    model = trained()
    images, labels = (tensor[:40] for tensor in digits()[2:])
    losses = []
    for steps in (1, 5, 20):
        adversarial = APGD(eps=0.02, steps=steps, random_start=False)(model, images, labels)
        losses.append(LOSSES["ce"](model(adversarial), labels))
    assert (losses[1] >= losses[0] - 1e-5).all()
    assert (losses[2] >= losses[0] - 1e-5).all()


@pytest.mark.parametrize("loss", ["ce", "dlr-targeted"])
def test_restarts_only_help(loss):
    model = trained()
    images, labels = (tensor[:100] for tensor in digits()[2:])
    attack = APGD(eps=0.08, steps=5, loss=loss, targets=2)
    once, thrice = (
        is_right(model, replace(attack, restarts=restarts)(model, images, labels), labels) for restarts in (1, 3)
    )
    assert not (thrice & ~once).any()
    assert thrice.any()


def test_a_restart_that_fools_nothing_keeps_the_highest_loss():
    model = trained()
    images, labels = (tensor[:40] for tensor in digits()[2:])
    attack = APGD(eps=0.02, steps=2)
    losses = [
        LOSSES["ce"](model(replace(attack, restarts=restarts)(model, images, labels)), labels) for restarts in (1, 4)
    ]
    assert (losses[1] >= losses[0]).all()
    assert (losses[1] > losses[0]).any()


def test_targets_are_tried_from_the_likeliest():
    model, tried = network(0), []
    images, labels = right_data(model)
    recorder = Recorder(model)
    APGD(eps=1e-4, loss="dlr-targeted", steps=1, targets=3, random_start=False)(recorder, images, labels)
    ranks = model(images).argsort(dim=1, descending=True).T
    assert torch.equal(rivals(model(images), labels, 3), ranks[1:4])
    for target, step in zip(ranks[1:4], recorder.seen[2::2], strict=True):
        leaf = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(dlr_targeted(model(leaf), labels, target).sum(), leaf)
        tried.append(step)
        torch.testing.assert_close(
            step, (images + 2e-4 * gradient.sign()).clamp(images - 1e-4, images + 1e-4).clamp(0, 1)
        )
    assert len(tried) == 3


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_few_classes(classes):
    model, images, labels = first_digits(classes)
    broken = {}
    for loss, least in {"ce": 2, "dlr": 3, "dlr-targeted": 4}.items():
        attack = APGD(eps=0.3, steps=5, loss=loss)
        if classes < least:
            with pytest.raises(SettingError, match=f"needs {least} classes or more, got {classes}"):
                attack(model, images, labels)
        else:
            broken[loss] = int((~is_right(model, attack(model, images, labels), labels)).sum())
    assert list(broken) == ["ce", "dlr", "dlr-targeted"][: classes - 1]
    assert min(broken.values()) >= 10


def test_seeded_and_without_the_global_generator():
    model = network(1)
    images, labels = right_data(model)
    attack = APGD(eps=0.01, steps=3)
    first = attack(model, images, labels)
    torch.manual_seed(3)
    assert torch.equal(attack(model, images, labels), first)
    assert torch.equal(attack(model, images, labels, generator=torch.Generator().manual_seed(0)), first)
    assert not torch.equal(attack(model, images, labels, generator=torch.Generator().manual_seed(1)), first)


def test_a_generator_for_each_image_makes_the_batch_not_matter():
    model = network(1).double()
    images, labels = right_data(model)
    attack = APGD(eps=0.05, steps=6, restarts=2)
    whole = attack(model, images, labels, generator=[torch.Generator().manual_seed(seed) for seed in range(6)])
    for row in range(6):
        alone = attack(model, images[[row]], labels[[row]], generator=[torch.Generator().manual_seed(row)])
        torch.testing.assert_close(alone[0], whole[row])


@pytest.mark.parametrize("norm", RADII)
def test_no_radius_no_change(norm):
    model = network(1)
    images, labels = right_data(model)
    torch.testing.assert_close(APGD(eps=0.0, norm=norm, steps=2)(model, images, labels), images)


def test_stronger_than_pgd_on_a_trained_network():
    model = trained()
    images, labels = (tensor[:200] for tensor in digits()[2:])
    weaker, stronger = (
        int(is_right(model, attack(model, images, labels), labels).sum())
        for attack in (PGD(eps=0.1, steps=10), APGD(eps=0.1))
    )
    assert stronger <= weaker


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize("norm", RADII)
def test_robust_accuracy_as_torchattacks(norm, loss):
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    model = trained()
    images, labels = (tensor[:150] for tensor in digits()[2:])
    ours = int(
        is_right(model, APGD(eps=RADII[norm], norm=norm, loss=loss, steps=50)(model, images, labels), labels).sum()
    )
    with torch.random.fork_rng(devices=[]):
        attack = torchattacks.APGD(model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=RADII[norm], steps=50, loss=loss)
        theirs = int(is_right(model, attack(images, labels), labels).sum())
    interval = wilson(ours, len(labels))
    assert interval.low <= theirs / len(labels) <= interval.high
    assert ours <= theirs + 2


def test_a_gradient_that_is_not_finite_is_named():
    class Root(nn.Module):
        def forward(self, images):
            first = images.flatten(1).sum(1)
            return torch.stack([first + 1, (first - first).sqrt()], dim=1)

    images = torch.full((2, 1, 2, 2), 0.5)
    with pytest.raises(StateError, match="gradient was not finite for 2 of 2 images"):
        APGD(eps=0.1)(Root(), images, torch.tensor([0, 0]))


def test_settings_outside_their_range_are_refused():
    for name in ("steps", "restarts", "targets"):
        with pytest.raises(SettingError, match=f"expected a whole number {name} ≥ 1, got 0"):
            APGD(**{name: 0})
    for name in ("momentum", "rho"):
        with pytest.raises(SettingError, match=rf"expected {name} in \(0, 1\], got 1.5; leave it out for the paper's"):
            APGD(**{name: 1.5})
    with pytest.raises(UnknownNameError, match="unknown loss 'drl'; did you mean 'dlr'"):
        APGD(loss="drl")
    with pytest.raises(SettingError, match="3 restarts from the same place are one; pass random_start=True"):
        APGD(restarts=3, random_start=False)
    with pytest.raises(SettingError, match="pass eps=8/255"):
        APGD(eps=8)


def test_labels_the_model_does_not_have_are_refused():
    images, _ = data()
    with pytest.raises(DataError, match=r"label 10 is outside 0\.\.9"):
        APGD()(network(), images, torch.full((len(images),), 10))
