"""Signs that an attack fails because gradients mislead it, and not because the model is robust.

After Athalye et al. 2018 (arXiv:1802.00420, section 3.1) and Carlini et al. 2019 (arXiv:1902.06705, section 4).
Each function gives one sentence with its numbers, or None; none is a proof in either direction.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from gossamer.attack.checks import check_data, check_some
from gossamer.attack.common import Attack, input_gradient, is_right, objective
from gossamer.attack.fgsm import FGSM
from gossamer.attack.found import as_found
from gossamer.attack.intervals import mcnemar
from gossamer.attack.pgd import PGD

ZERO_SHARE = 0.01  # of images without any gradient; an unsaturated float32 network has none
UNBOUNDED_SHARE = 0.05  # of images still right where any image is allowed
SIGNIFICANT = 0.05  # p of McNemar's test: a handful of images either way is chance, random starts differ


def gradient_masking(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    *,
    black_box: Attack | None = None,
    generator: torch.Generator | None = None,
) -> tuple[str, ...]:
    """Every sign, on one batch; about a hundred images are enough.

    Args:
        model: takes images in [0, 1]; left as found.
        images: (B, C, H, W), float, in [0, 1].
        labels: (B,).
        attack: the white-box attack that is in doubt.
        black_box: an attack without gradients to compare with, such as ``Square``; None to leave this out.
        generator: for the attacks' random draws.

    Returns:
        A sentence for each sign; empty is good.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Softmax(dim=1), nn.Threshold(2.0, 0.0))
        >>> for sign in gradient_masking(model, torch.rand(8, 1, 2, 2), torch.zeros(8, dtype=torch.long), PGD()):
        ...     print(sign.split(":")[0])
        8 of 8 images (100 %) have no gradient at all
        the loss does not rise along the attack
        8 of 8 images (100 %) are still right with eps = 1, which allows any image
    """
    images, labels = check_data(images, labels, attack.eps, attack.norm)
    check_some(images)
    white = attack(model, images, labels, generator=generator)
    with as_found(model):
        survived = is_right(model, white, labels)
    signs = [*quick_signs(model, images, labels, attack, survived), unbounded_fails(model, images, labels, attack)]
    if black_box is not None:
        black = black_box(model, images, labels, generator=generator)
        with as_found(model):
            signs.append(black_box_is_stronger(is_right(model, black, labels), survived))
    return tuple(sign for sign in signs if sign)


def quick_signs(model: nn.Module, images: Tensor, labels: Tensor, attack: Attack, survived: Tensor) -> tuple[str, ...]:
    """The signs that cost about one more run of the attack on this batch.

    Args:
        model: left as found.
        images: (B, C, H, W), in [0, 1].
        labels: (B,).
        attack: the attack in doubt.
        survived: which images are still right after it, bool (B,).

    Returns:
        A sentence for each sign.
    """
    loss = attack.loss if isinstance(attack, PGD | FGSM) else "ce"
    signs = [zero_gradients(model, images, labels, loss)]
    if isinstance(attack, PGD):
        signs += [never_arrives(attack), loss_falls(attack.loss_curve(model, images, labels))]
    if not isinstance(attack, FGSM):
        once = FGSM(eps=attack.eps, norm=attack.norm, loss=loss)(model, images, labels)
        with as_found(model):
            signs.append(one_step_is_stronger(is_right(model, once, labels), survived))
    return tuple(sign for sign in signs if sign)


def zero_gradients(model: nn.Module, images: Tensor, labels: Tensor, loss: str = "ce") -> str | None:
    """Images whose loss has no gradient in any pixel.

    Returns:
        The sign, if they are more than 1 %.
    """
    with as_found(model):
        gradient, _ = input_gradient(objective(model, labels, loss), images)
    zero = int((gradient == 0).flatten(1).all(1).sum())
    if zero <= ZERO_SHARE * len(images):
        return None
    return (
        f"{_of(zero, len(images))} have no gradient at all: softmax outputs, logits too large for float32, or hard "
        "thresholds; attack the logits, try loss='dlr' or Square"
    )


def never_arrives(attack: PGD) -> str | None:
    """Steps too short to reach the border of the ball.

    Returns:
        The sign, if so.
    """
    reach = sum(attack.step_sizes())
    if reach >= attack.eps * (1 - 1e-9):
        return None
    return f"{attack.steps} steps reach {reach:.3g} and never the border at eps = {attack.eps:.3g}; raise step or steps"


def loss_falls(curve: Tensor) -> str | None:
    """A loss that does not rise along the attack.

    Args:
        curve: mean loss before each step and after the last.

    Returns:
        The sign, if its end is not above its start, or 10 % below its top.
    """
    first, last, top = float(curve[0]), float(curve[-1]), float(curve.max())
    if last <= first:
        return (
            f"the loss does not rise along the attack: {first:.4g} before and {last:.4g} after {len(curve) - 1} steps"
        )
    if last < 0.9 * top:
        return f"the loss falls again along the attack, from {top:.4g} to {last:.4g} at its end: steps are too long"
    return None


def one_step_is_stronger(after_fgsm: Tensor, after_attack: Tensor) -> str | None:
    """FGSM breaking more images than an attack of many steps.

    Args:
        after_fgsm: which images are still right, bool (B,).
        after_attack: the same after the other attack.

    Returns:
        The sign, if the difference is significant.
    """
    return _stronger("FGSM, one step,", after_fgsm, after_attack)


def black_box_is_stronger(after_black_box: Tensor, after_attack: Tensor) -> str | None:
    """An attack without gradients breaking more images than one with them.

    Args:
        after_black_box: which images are still right, bool (B,).
        after_attack: the same after the attack with gradients.

    Returns:
        The sign, if the difference is significant.
    """
    return _stronger("the black-box attack", after_black_box, after_attack)


def _stronger(name: str, right: Tensor, right_after_attack: Tensor) -> str | None:
    only_it, only_attack = int((~right & right_after_attack).sum()), int((right & ~right_after_attack).sum())
    if only_it <= only_attack or (p := mcnemar(only_it, only_attack)) >= SIGNIFICANT:
        return None
    return (
        f"{name} breaks {only_it} images that the attack leaves, and leaves {only_attack} that it breaks, "
        f"of {len(right)} (p = {p:.2g}): the gradients mislead the attack"
    )


def unbounded_fails(model: nn.Module, images: Tensor, labels: Tensor, attack: Attack) -> str | None:
    """Images still right where every image in [0, 1] is allowed: 100 steps of a tenth of the range.

    Returns:
        The sign, if they are more than 5 %.
    """
    size = 1.0 if attack.norm == "linf" else math.sqrt(images[0].numel())
    eps = math.nextafter(size, 0.0)  # every image but for rounding, and no radius in grey levels, which are refused
    settings = attack if isinstance(attack, PGD) else PGD(norm=attack.norm)
    free = replace(settings, eps=eps, step=eps / 10, steps=100, random_start=False, restarts=1, step_rule="linear")
    adversarial = free(model, images, labels)
    with as_found(model):
        right = int(is_right(model, adversarial, labels).sum())
    if right <= UNBOUNDED_SHARE * len(images):
        return None
    return (
        f"{_of(right, len(images))} are still right with eps = {eps:.3g}, which allows any image: "
        "the attack does not work on this model, at any eps"
    )


def _of(count: int, n: int) -> str:
    return f"{count} of {n} images ({100 * count / n:.0f} %)"
