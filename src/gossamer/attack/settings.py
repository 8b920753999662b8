"""The checks of settings that attacks share: when one is made, never in its steps."""

import math
import warnings
from typing import Literal, get_args

from gossamer.attack.losses import LOSSES
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.schedule import is_whole

Norm = Literal["linf", "l2"]

LEVELS = 4  # radii of l2 in the literature are 0.1 to 3; whole numbers from here on look like grey levels


def check_eps(eps: float, norm: str) -> None:
    """Check a radius, which is in units of images in [0, 1].

    Args:
        eps: largest change, 0 or more; of linf below 1, from where on any image is allowed. Of l2 a whole number
            from 4 on is warned of: it looks like grey levels.
        norm: ``"linf"`` or ``"l2"``.

    Raises:
        SettingError: on a radius outside its range.
        UnknownNameError: on another norm.
    """
    if norm not in get_args(Norm):
        raise UnknownNameError("norm", norm, get_args(Norm))
    if not math.isfinite(eps) or eps < 0:
        raise SettingError(f"expected eps ≥ 0, got {eps}; pass for instance eps=8/255")
    if norm == "linf" and eps >= 1:
        raise SettingError(
            f"expected eps of linf in units of images in [0, 1], got {eps:g}; for a change of {eps:g} grey levels of "
            f"255 pass eps={eps:g}/255 (within 1 lies any image: stay below)"
        )
    if norm == "l2" and eps >= LEVELS and eps == round(eps):
        warnings.warn(
            f"eps={eps:g} of l2 looks like grey levels of 255; images are in [0, 1]: for {eps:g} levels pass "
            f"eps={eps:g}/255",
            stacklevel=4,  # check_eps, __post_init__, __init__, the caller
        )


def check_step(step: float, eps: float, norm: str) -> None:
    """Check the size of a step, which is in units of images in [0, 1].

    Args:
        step: 0 or more; at most 2 · eps, the way across the ball, and in linf at most 1.
        eps: radius, checked.
        norm: ``"linf"`` or ``"l2"``.

    Raises:
        SettingError: on a step outside its range.
    """
    if not math.isfinite(step) or step < 0:
        raise SettingError(f"expected step ≥ 0, got {step}; pass for instance step=2/255")
    longest = min(2 * eps, 1.0) if norm == "linf" else 2 * eps
    if step > longest * (1 + 1e-9):  # 0.1 + 0.2 must count as 2 · 0.15
        raise SettingError(
            f"expected a step of at most {longest:.4g}, the way across the ball of eps={eps:.4g}, got {step:g}; step "
            "is in units of images in [0, 1]: pass 2/255, not 2, or leave it out for eps/4"
        )


def check_count(name: str, count: int) -> None:
    """Check a whole number of at least 1.

    Args:
        name: of the setting.
        count: its value.

    Raises:
        SettingError: if it is something else.
    """
    if not is_whole(count) or count < 1:
        raise SettingError(f"expected a whole number {name} ≥ 1, got {count!r}; pass an int")


def check_share(name: str, share: float) -> None:
    """Check a setting that is a share of something.

    Args:
        name: of the setting.
        share: its value.

    Raises:
        SettingError: if it is outside of (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingError(f"expected {name} in (0, 1], got {share!r}; leave it out for the paper's")


def check_loss(loss: str) -> None:
    """Check the name of a loss.

    Args:
        loss: a name in ``LOSSES``.

    Raises:
        UnknownNameError: on one that does not exist.
    """
    if loss not in LOSSES:
        raise UnknownNameError("loss", loss, LOSSES)
