"""The same adversarial images as torchattacks and foolbox from the same start, and the same accuracy from a random one.

In float64, so that no sign of a gradient near zero hangs on rounding. Both packages need others that they do not
use here: install them by ``pip install --no-deps torchattacks foolbox eagerpy GitPython gitdb smmap``.
"""

import importlib
import warnings

import pytest
import torch

from gossamer.attack import FGSM, PGD, paired, robust_accuracy
from tests.attacked import data, digits, network, trained

EPS, STEPS = 8 / 255, 10
TEN = {"steps": STEPS, "random_start": False}


def peer(name):
    """The package; it is skipped where it is not installed, and what it warns of in its own imports is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as error:
            pytest.skip(f"{name} cannot be imported ({error}); see the first lines of this file")


@pytest.fixture
def torchattacks():
    return peer("torchattacks")


@pytest.fixture
def foolbox():
    return peer("foolbox")


def double(seed=0, **sizes):
    images, labels = data(seed, n=16, **sizes)
    return network(seed, **sizes).double().eval(), images.double(), labels


def by_torchattacks(package, model, images, labels, attack):
    if isinstance(attack, FGSM):
        peers = package.FGSM(model, eps=attack.eps)
    elif attack.norm == "linf":
        peers = package.PGD(
            model, eps=attack.eps, alpha=attack.eps / 4, steps=attack.steps, random_start=attack.random_start
        )
    else:
        peers = package.PGDL2(
            model, eps=attack.eps, alpha=attack.eps / 4, steps=attack.steps, random_start=attack.random_start
        )
    return peers(images, labels)


def by_foolbox(package, model, images, labels, attack):
    settings = {"abs_stepsize": attack.eps / 4, "steps": attack.steps} if isinstance(attack, PGD) else {}
    kind = {
        (FGSM, "linf"): package.attacks.LinfFastGradientAttack,
        (FGSM, "l2"): package.attacks.L2FastGradientAttack,
        (PGD, "linf"): package.attacks.LinfPGD,
        (PGD, "l2"): package.attacks.L2PGD,
    }[type(attack), attack.norm]
    run = kind(random_start=attack.random_start, **settings)
    return run(package.PyTorchModel(model, bounds=(0, 1)), images, labels, epsilons=attack.eps)[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "attack",
    [FGSM(), FGSM(eps=0.3), PGD(eps=EPS, **TEN), PGD(eps=0.3, **TEN), PGD(eps=0.5, norm="l2", **TEN)],
    ids=["fgsm", "fgsm, far", "linf", "linf, far", "l2"],
)
def test_as_torchattacks_from_the_clean_image(torchattacks, attack, seed):
    model, images, labels = double(seed, channels=3)
    expected = by_torchattacks(torchattacks, model, images, labels, attack)
    torch.testing.assert_close(attack(model, images, labels), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "attack",
    [
        FGSM(),
        FGSM(eps=0.5, norm="l2"),
        PGD(eps=EPS, **TEN),
        PGD(eps=0.3, **TEN),
        PGD(eps=0.5, norm="l2", **TEN),
        PGD(eps=3.0, norm="l2", **TEN),
    ],
    ids=["fgsm", "fgsm l2", "linf", "linf, far", "l2", "l2, far"],
)
def test_as_foolbox_from_the_clean_image(foolbox, attack, seed):
    model, images, labels = double(seed, channels=3)
    expected = by_foolbox(foolbox, model, images, labels, attack)
    torch.testing.assert_close(attack(model, images, labels), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("attack", [PGD(eps=0.1), PGD(eps=0.5, norm="l2")], ids=["linf", "l2"])
@pytest.mark.parametrize(("name", "run"), [("torchattacks", by_torchattacks), ("foolbox", by_foolbox)])
def test_the_same_robust_accuracy_from_random_starts(name, run, attack, request):
    package = request.getfixturevalue(name)
    _, _, images, labels = digits()
    model = trained()
    ours = robust_accuracy(model, images, labels, attack)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = run(package, model, images, labels, attack)
    for weight in model.parameters():
        weight.grad = None  # filled by foolbox
    with torch.no_grad():
        right = ours.clean_right & (model(theirs).argmax(1) == labels)
    comparison = paired(ours.robust_right, right)
    assert comparison.low <= 0 <= comparison.high
    assert 0.1 < ours.robust.value < 0.9
    assert ours.robust.low <= right.double().mean() <= ours.robust.high
