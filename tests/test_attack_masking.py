"""Signs of gradient masking: shown by networks made to mask, not shown by one that does not."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from gossamer.attack import FGSM, PGD, gradient_masking
from gossamer.attack.masking import (
    black_box_is_stronger,
    loss_falls,
    never_arrives,
    one_step_is_stronger,
    unbounded_fails,
    zero_gradients,
)
from tests.attacked import digits, trained

_, _, IMAGES, LABELS = digits()
IMAGES, LABELS = IMAGES[:100], LABELS[:100]


class Around(nn.Module):
    """The trained network with something done to its input or its logits."""

    def __init__(self, *, before=None, after=None):
        super().__init__()
        self.inner, self.before, self.after = trained(), before or nn.Identity(), after or nn.Identity()

    def forward(self, images):
        return self.after(self.inner(self.before(images)))


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, values):
        return values * self.factor


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(context, values):
        return values.clone()

    @staticmethod
    def backward(context, gradient):
        return -gradient


class Misleads(nn.Module):
    """The identity, whose gradient points the wrong way."""

    def forward(self, values):
        return Backwards.apply(values)


class Stairs(nn.Module):
    """Four grey levels, whose gradient is zero everywhere."""

    def forward(self, images):
        return (images * 3).round() / 3


@dataclass(frozen=True)
class Inverts:
    """A black box that needs no gradient."""

    eps: float = 0.3
    norm: str = "linf"

    def __call__(self, model, images, labels, *, generator=None):
        return torch.where(images > 0.5, images - self.eps, images + self.eps)


def test_an_honest_network_shows_no_sign():
    for attack in (PGD(eps=0.1), PGD(eps=1, norm="l2"), FGSM(eps=0.1)):
        assert gradient_masking(trained(), IMAGES, LABELS, attack) == ()


def test_saturated_logits():
    signs = gradient_masking(Around(after=Times(1e4)), IMAGES, LABELS, PGD(eps=0.1))
    assert "have no gradient at all: softmax outputs, logits too large" in signs[0]
    assert any("are still right with eps = 1, which allows any image" in sign for sign in signs)


def test_a_quantised_input():
    signs = gradient_masking(Around(before=Stairs()), IMAGES, LABELS, PGD(eps=0.1), black_box=Inverts())
    assert signs[0].startswith("100 of 100 images (100 %) have no gradient at all")
    assert signs[1].startswith("the loss does not rise along the attack")
    assert "which allows any image" in signs[2]
    assert signs[3].startswith("the black-box attack breaks ")


def test_a_gradient_that_points_the_wrong_way():
    signs = gradient_masking(Around(before=Misleads()), IMAGES, LABELS, PGD(eps=0.1, random_start=False))
    assert len(signs) == 2
    assert "the loss does not rise along the attack" in signs[0]
    assert "the attack does not work on this model, at any eps" in signs[1]


def test_zero_gradients_are_counted():
    class Some(nn.Module):
        def forward(self, images):
            return images.flatten(1) * (torch.arange(len(images)) >= 3).view(-1, 1)

    sign = zero_gradients(Some(), IMAGES[:10], LABELS[:10])
    assert sign.startswith("3 of 10 images (30 %) have no gradient at all")
    assert zero_gradients(trained(), IMAGES, LABELS) is None


@pytest.mark.parametrize(
    ("attack", "sign"),
    [
        (PGD(), None),
        (PGD(eps=0.3, step=0.1, steps=3), None),
        (PGD(eps=0.5, step=2 / 255), "10 steps reach 0.0784 and never the border at eps = 0.5; raise step or steps"),
        (PGD(steps=3), "3 steps reach 0.0235 and never the border at eps = 0.0314; raise step or steps"),
    ],
)
def test_steps_that_never_arrive(attack, sign):
    assert never_arrives(attack) == sign


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        ([1.0, 2.0, 3.0], None),
        ([1.0, 3.0, 2.9], None),
        ([1.0, 1.0], "does not rise along the attack: 1 before and 1 after 1 steps"),
        ([2.0, 3.0, 1.0], "does not rise along the attack: 2 before and 1 after 2 steps"),
        ([1.0, 4.0, 2.0], "falls again along the attack, from 4 to 2 at its end"),
    ],
)
def test_loss_curves(curve, words):
    sign = loss_falls(torch.tensor(curve))
    assert sign is None if words is None else words in sign


@pytest.mark.parametrize("compare", [one_step_is_stronger, black_box_is_stronger])
def test_the_weaker_attack_that_wins(compare):
    def right(*broken):
        return torch.tensor([place not in broken for place in range(20)])

    assert compare(right(0, 1), right(0, 1)) is None
    assert compare(right(0, 1, 2), right(3)) is None  # chance
    assert compare(right(), right(*range(9))) is None  # weaker, as it should be
    sign = compare(right(*range(9)), right(19))
    assert "breaks 9 images that the attack leaves, and leaves 1 that it breaks, of 20 (p = 0.021)" in sign


def test_unbounded_attacks_break_everything_else_it_is_a_sign():
    assert unbounded_fails(trained(), IMAGES, LABELS, PGD(eps=0.1)) is None
    assert unbounded_fails(trained(), IMAGES, LABELS, PGD(norm="l2")) is None
    sign = unbounded_fails(Around(before=Stairs()), IMAGES, LABELS, PGD(norm="l2"))
    assert "still right with eps = 8, which allows any image" in sign  # the root of 64, without a warning
    sign = unbounded_fails(Around(before=Stairs()), IMAGES, LABELS, Inverts())
    assert "of 100 images" in sign
    assert "still right with eps = 1" in sign
