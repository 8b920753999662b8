"""Attacks by name."""

from dataclasses import replace

import pytest
import torch

from gossamer.attack import APGD, ATTACKS, FAB, FGSM, PGD, AutoAttack, Square, named
from gossamer.attack.apgd import TARGETED
from gossamer.attack.ball import largest_change
from gossamer.core.errors import SettingError, UnknownNameError
from tests.attacked import data, network


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        ("fgsm", FGSM()),
        ("pgd", PGD()),
        ("pgd10", PGD(steps=10)),
        ("PGD20", PGD(steps=20)),
        ("pgd100", PGD(steps=100)),
        ("apgd-ce", APGD(loss="ce")),
        ("apgd-dlr", APGD(loss="dlr")),
        ("apgd-t", APGD(loss=TARGETED)),
        ("square", Square()),
        ("fab-t", FAB()),
        ("autoattack", AutoAttack()),
        ("pgd20:eps=4/255,norm=l2,restarts=5", PGD(steps=20, eps=4 / 255, norm="l2", restarts=5)),
        (" pgd7 : eps = 1e-2 , step=none, random_start=False,", PGD(steps=7, eps=0.01, random_start=False)),
        ("pgd:step=1/255,step_rule=cosine", PGD(step=1 / 255, step_rule="cosine")),
        ("pgd:eps=1,norm=l2", PGD(eps=1.0, norm="l2")),
        ("fgsm:random_start=true,loss=dlr", FGSM(random_start=True, loss="dlr")),
        ("apgd-dlr:steps=20", APGD(loss="dlr", steps=20)),
        ("square:queries=50", Square(queries=50)),
        ("autoattack:eps=0.5,norm=l2", AutoAttack(eps=0.5, norm="l2")),
    ],
)
def test_names_and_settings(text, attack):
    assert named(text) == attack


@pytest.mark.parametrize("name", ATTACKS)
def test_every_name_attacks(name):
    attack = named(name)
    short = {"steps": 3, "queries": 5}
    attack = replace(attack, **{field: value for field, value in short.items() if hasattr(attack, field)})
    images, labels = data()
    found = attack(network(), images, labels)
    assert found.shape == images.shape
    assert largest_change(found, images, attack.norm).max() <= attack.eps + 1e-6
    each = attack(network(), images, labels, generator=[torch.Generator().manual_seed(place) for place in range(6)])
    assert each.shape == images.shape


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("pdg20", UnknownNameError, "unknown attack 'pdg20'; did you mean 'pgd'"),
        ("fgsm3", UnknownNameError, "unknown attack 'fgsm3'; did you mean 'fgsm'"),
        ("", UnknownNameError, "unknown attack ''; known: apgd-ce, "),
        ("20", UnknownNameError, "unknown attack '20'"),
        ("pgd:epsilon=1", UnknownNameError, "unknown setting 'epsilon'; did you mean 'eps'"),
        ("apgd-dlr:loss=ce", UnknownNameError, "unknown setting 'loss'"),
        ("pgd:eps", SettingError, "expected setting=value in 'pgd:eps', got 'eps'; write for instance eps=8/255"),
        ("pgd:eps=", SettingError, "expected setting=value in 'pgd:eps=', got 'eps='"),
        ("pgd20:steps=10", SettingError, "steps is set twice in 'pgd20:steps=10'"),
        ("pgd:eps=big", SettingError, "expected eps to be float, got 'big'; write for instance eps=8/255"),
        ("pgd:eps=8/0", SettingError, "expected eps to be float, got '8/0'"),
        ("pgd:steps=1.5", SettingError, "expected steps to be int, got '1.5'; write for instance steps=10"),
        ("pgd:step=x", SettingError, "expected step to be float or none, got 'x'"),
        (
            "pgd:random_start=1",
            SettingError,
            "expected random_start to be bool, got '1'; write for instance random_start=true",
        ),
        ("pgd:eps=8", SettingError, "pass eps=8/255"),
        ("pgd:norm=l1", UnknownNameError, "unknown norm 'l1'"),
    ],
)
def test_texts_that_are_refused(text, error, words):
    with pytest.raises(error, match=words):
        named(text)
