"""FGSM against its formula."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from gossamer.attack import FGSM
from gossamer.attack.ball import largest_change, random_start
from gossamer.core.errors import SettingError, UnknownNameError
from tests.attacked import data, network


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("seed", range(4))
def test_the_formula(norm, seed):
    model, (images, labels) = network(seed).eval(), data(seed)
    leaf = images.clone().requires_grad_()
    cross_entropy(model(leaf), labels).backward()
    way = leaf.grad.sign() if norm == "linf" else leaf.grad / leaf.grad.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    expected = (images + 0.1 * way).clamp(0, 1)
    torch.testing.assert_close(FGSM(eps=0.1, norm=norm)(network(seed), images, labels), expected)


def test_from_a_random_start_it_stays_in_the_ball():
    images, labels = data()
    found = FGSM(eps=0.1, random_start=True)(network(), images, labels, generator=torch.Generator().manual_seed(4))
    assert largest_change(found, images, "linf").max() <= 0.1 + 1e-6
    start = random_start(images, 0.1, "linf", torch.Generator().manual_seed(4))
    model, leaf = network().eval(), start.requires_grad_()
    cross_entropy(model(leaf), labels).backward()
    expected = (leaf + 0.1 * leaf.grad.sign()).clamp(images - 0.1, images + 0.1).clamp(0, 1)
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"eps": 8}, SettingError, "pass eps=8/255"),
        ({"norm": "max"}, UnknownNameError, "unknown norm 'max'"),
        ({"loss": "mse"}, UnknownNameError, "unknown loss 'mse'"),
        ({"batch_norm": "off"}, UnknownNameError, "unknown batch-norm mode 'off'"),
    ],
)
def test_settings_that_are_refused(settings, error, words):
    with pytest.raises(error, match=words):
        FGSM(**settings)
