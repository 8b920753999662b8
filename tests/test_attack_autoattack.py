"""AutoAttack: its members, its record, few classes, its order of strength, and a model left as found."""

import sys
from copy import deepcopy
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import nn

from gossamer.attack import APGD, FAB, FGSM, PGD, AutoAttack, AutoAttackRecord, Square, wilson
from gossamer.attack.ball import largest_change
from gossamer.attack.common import is_right
from gossamer.core.errors import DataError, SettingError, UnknownNameError
from tests.attacked import data, digits, network, trained
from tests.few_classes import first_digits

RADII = {"linf": 0.1, "l2": 0.7}
LIGHT = {"steps": 10, "queries": 60, "targets": 3}
ATTACKS = {
    "apgd-ce": APGD(steps=3),
    "apgd-t l2": APGD(steps=2, norm="l2", loss="dlr-targeted", targets=2),
    "fab": FAB(steps=2, targets=2),
    "square": Square(queries=5),
    "square l2": Square(queries=5, norm="l2"),
    "autoattack": AutoAttack(steps=2, queries=4, targets=2),
}


def right_data(model, n=6, **shape):
    images, _ = data(1, n=n, **shape)
    images = images.to(next(model.parameters()).dtype)
    return images, model.eval()(images).argmax(1).detach()


def test_members_are_those_of_the_paper():
    members = AutoAttack(eps=0.1, norm="l2").members(10)
    assert members == {
        "apgd-ce": APGD(eps=0.1, norm="l2", loss="ce", steps=100, restarts=1),
        "apgd-t": APGD(eps=0.1, norm="l2", loss="dlr-targeted", steps=100, restarts=1, targets=9),
        "fab-t": FAB(eps=0.1, norm="l2", steps=100, restarts=1, targets=9),
        "square": Square(eps=0.1, norm="l2", queries=5000, first_share=0.8, rescaled=False),
    }
    assert list(members) == ["apgd-ce", "apgd-t", "fab-t", "square"]


@pytest.mark.parametrize("norm", RADII)
def test_the_record_is_that_of_members_one_after_the_other(norm):
    model = trained()
    images, labels = (tensor[:80] for tensor in digits()[2:])
    attack = AutoAttack(eps=RADII[norm], norm=norm, **LIGHT)
    record = attack.record(model, images, labels, generator=torch.Generator().manual_seed(3))
    generator, found = torch.Generator().manual_seed(3), images.clone()
    alive = is_right(model, images, labels)
    assert torch.equal(record.broken_by == -1, ~alive)
    assert record.clean_accuracy == float(alive.double().mean())
    for number, (name, member) in enumerate(attack.members(10).items()):
        rows = alive.nonzero().flatten()
        tried = member(model, images[rows], labels[rows], generator=generator)
        broken = ~is_right(model, tried, labels[rows])
        found[rows[broken]] = tried[broken]
        alive[rows[broken]] = False
        assert torch.equal((record.broken_by == number).nonzero().flatten(), rows[broken])
        assert record.robust_accuracy[name] == float(alive.double().mean())
    assert torch.equal(record.broken_by == len(record.members), alive)
    assert torch.equal(record.images, found)
    assert torch.equal(is_right(model, record.images, labels), alive)
    assert 0 < int(alive.sum()) < 80


def test_a_call_gives_the_images_of_the_record():
    model = network(1)
    images, labels = right_data(model)
    attack = AutoAttack(eps=0.01, **LIGHT)
    first = attack(model, images, labels)
    torch.manual_seed(5)
    assert torch.equal(attack.record(model, images, labels).images, first)


@pytest.mark.parametrize("norm", RADII)
def test_within_the_ball_and_in_range(norm):
    model = network(0, channels=3)
    images, labels = right_data(model, channels=3)
    before = images.clone()
    adversarial = AutoAttack(eps=RADII[norm] / 4, norm=norm, **LIGHT)(model, images, labels)
    assert adversarial.shape == images.shape
    assert adversarial.dtype == images.dtype
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert 0 < largest_change(adversarial, images, norm).max() <= RADII[norm] / 4 * (1 + 1e-5)
    assert torch.equal(images, before)


class Sizes(nn.Module):
    """Keeps the size of each batch."""

    def __init__(self, model):
        super().__init__()
        self.model, self.sizes = model, []

    def forward(self, images):
        self.sizes.append(len(images))
        return self.model(images)


def test_only_unbroken_samples_are_computed_and_all_broken_ends_it():
    counter = Sizes(trained())
    images, labels = (tensor[:60] for tensor in digits()[2:])
    record = AutoAttack(eps=0.1, **LIGHT).record(counter, images, labels)
    accuracies = record.robust_accuracy
    assert counter.sizes[0] == 60
    assert counter.sizes[1] == round(60 * record.clean_accuracy)
    assert counter.sizes[-1] == round(60 * accuracies["fab-t"])  # the last check, of what Square has tried
    counter.sizes.clear()
    record = AutoAttack(eps=0.9, **LIGHT).record(counter, images, labels)
    assert set(record.broken_by.tolist()) == {-1, 0}
    assert record.robust_accuracy == dict.fromkeys(("apgd-ce", "apgd-t", "fab-t", "square"), 0.0)
    assert len(counter.sizes) < 20


@pytest.mark.parametrize(
    ("classes", "members"),
    [
        (2, ("apgd-ce", "fab-t", "square")),
        (3, ("apgd-ce", "apgd-dlr", "fab-t", "square")),
        (4, ("apgd-ce", "apgd-t", "fab-t", "square")),
    ],
)
@pytest.mark.parametrize("norm", RADII)
def test_few_classes(norm, classes, members):
    model, images, labels = first_digits(classes)
    record = AutoAttack(eps=2 * RADII[norm], norm=norm, steps=10, queries=60).record(model, images, labels)
    assert record.members == members
    assert record.clean_accuracy == 1
    assert list(record.robust_accuracy) == list(members)
    falling = list(record.robust_accuracy.values())
    assert sorted(falling, reverse=True) == falling
    assert falling[-1] < 1


@pytest.mark.parametrize("norm", RADII)
def test_fgsm_pgd_apgd_autoattack_grow_in_strength(norm):
    model = trained()
    images, labels = (tensor[:100] for tensor in digits()[2:])
    radius = {"eps": RADII[norm], "norm": norm}
    attacks = (FGSM(**radius), PGD(**radius), APGD(**radius), AutoAttack(**radius, queries=100, targets=2))
    right = [int(is_right(model, attack(model, images, labels), labels).sum()) for attack in attacks]
    assert right == sorted(right, reverse=True)
    assert right[0] > right[-1] > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("norm", RADII)
def test_robust_accuracy_as_torchattacks_or_lower(norm):
    torchattacks = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    model = trained()
    images, labels = (tensor[:50] for tensor in digits()[2:])
    radius, name = {"eps": RADII[norm]}, {"linf": "Linf", "l2": "L2"}[norm]
    ours = AutoAttack(**radius, norm=norm, steps=20, queries=300)(model, images, labels)
    ours_right = int(is_right(model, ours, labels).sum())
    with torch.random.fork_rng(devices=[]):
        members = (  # its own AutoAttack has 10 steps and 5000 queries, which cannot be set
            torchattacks.APGD(model, norm=name, **radius, steps=20),
            torchattacks.APGDT(model, norm=name, **radius, steps=20),
            torchattacks.FAB(model, norm=name, **radius, steps=20, multi_targeted=True),
            torchattacks.Square(model, norm=name, **radius, n_queries=300),
        )
        theirs = torchattacks.MultiAttack(list(members))(images, labels).detach()
    theirs_right = int(is_right(model, theirs, labels).sum())
    interval = wilson(ours_right, len(labels))
    assert interval.low <= theirs_right / len(labels) <= interval.high
    assert ours_right <= theirs_right + 1


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_model_and_the_global_state_are_as_found(attack):
    model = network(dropout=0.5).train()
    model[1].eval()  # a frozen batch norm
    model[0].weight.requires_grad_(False)
    for weight in model.parameters():
        weight.grad = torch.full_like(weight, 3.0)
    before, images = deepcopy(model), data()[0]
    labels = deepcopy(model).eval()(images).argmax(1)
    torch.manual_seed(5)
    random_state, tracer = torch.random.get_rng_state(), sys.gettrace()
    try:
        sys.settrace(ignore_event := lambda *_: None)
        attack(model, images, labels)
        assert sys.gettrace() is ignore_event
    finally:
        sys.settrace(tracer)
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert [module.training for module in model.modules()] == [module.training for module in before.modules()]
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in model.state_dict().items())
    assert all(bool((weight.grad == 3).all()) for weight in model.parameters())
    flags = [weight.requires_grad for weight in before.parameters()]
    assert [weight.requires_grad for weight in model.parameters()] == flags


def test_a_generator_for_each_image_makes_the_batch_not_matter():
    model = network(1).double()
    images, labels = right_data(model)
    attack = AutoAttack(eps=0.01, steps=4, queries=10, targets=2)
    whole = attack.record(model, images, labels, generator=[torch.Generator().manual_seed(row) for row in range(6)])
    for row in range(6):
        alone = attack.record(model, images[[row]], labels[[row]], generator=[torch.Generator().manual_seed(row)])
        assert alone.broken_by[0] == whole.broken_by[row]
        torch.testing.assert_close(alone.images[0], whole.images[row])


def test_a_sample_that_overflows_is_wrong():
    class Overflowing(nn.Module):
        def forward(self, images):
            return torch.stack([images.flatten(1).sum(1) * float("nan"), images.flatten(1).sum(1)], dim=1)

    images = torch.full((2, 1, 2, 2), 0.5)
    record = AutoAttack(eps=0.1, **LIGHT).record(Overflowing(), images, torch.tensor([0, 1]))
    assert record.broken_by.tolist() == [-1, -1]
    assert torch.equal(record.images, images)


def test_the_record_is_frozen():
    record = AutoAttackRecord(("square",), torch.tensor([-1, 0, 1, 1]), torch.zeros(4, 1, 1, 1))
    assert record.clean_accuracy == 0.75
    assert record.robust_accuracy == {"square": 0.5}
    with pytest.raises(FrozenInstanceError):
        record.members = ()


def test_settings_outside_their_range_are_refused():
    for name in ("steps", "queries", "targets"):
        with pytest.raises(SettingError, match=f"expected a whole number {name} ≥ 1, got 0"):
            AutoAttack(**{name: 0})
    with pytest.raises(SettingError, match="pass eps=8/255"):
        AutoAttack(eps=8)
    with pytest.raises(UnknownNameError, match="unknown norm 'l1'"):
        AutoAttack(norm="l1")
    images, _ = data()
    with pytest.raises(DataError, match=r"label 10 is outside 0\.\.9"):
        AutoAttack()(network(), images, torch.full((len(images),), 10))
