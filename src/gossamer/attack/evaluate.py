"""Clean and robust accuracy of a model, with what they can be trusted for."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from gossamer.attack.ball import Source
from gossamer.attack.checks import check_images, check_labels, check_shape, check_some
from gossamer.attack.common import Attack, is_right
from gossamer.attack.eight_bit import to_eight_bit
from gossamer.attack.found import as_found
from gossamer.attack.intervals import Proportion, wilson
from gossamer.attack.masking import quick_signs
from gossamer.attack.settings import check_count
from gossamer.core.errors import SettingError
from gossamer.core.given import check_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustAccuracy:
    """What :func:`robust_accuracy` found.

    ``clean`` and ``robust`` are shares with Wilson's 95 % interval; ``clean_right`` and ``robust_right`` say it image
    by image, bool (N,), for :func:`gossamer.attack.paired`; ``warnings`` are signs of gradient masking.
    """

    clean: Proportion
    robust: Proportion
    clean_right: Tensor = field(repr=False)
    robust_right: Tensor = field(repr=False)
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """Both accuracies, and a line for each warning."""
        return "\n".join([f"clean {self.clean}", f"robust {self.robust}", *(f"warning: {w}" for w in self.warnings)])


def robust_accuracy(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    *,
    batch_size: int = 128,
    seed: int = 0,
    eight_bit: bool = False,
    look_for_masking: bool = True,
) -> RobustAccuracy:
    """Accuracy before and after an attack: an image is robustly right if it is right, and still right after it.

    Only images that are right are attacked. What an attack draws for an image is drawn by (seed, the image's index),
    so that results depend on the batch size by rounding only.

    Args:
        model: takes images in [0, 1] and gives logits; left as found.
        images: (N, C, H, W), float in [0, 1] or uint8; moved to the model's device batch by batch.
        labels: (N,).
        attack: any of this package's, in evaluation mode.
        batch_size: images at once.
        seed: of the attack's random draws, 0 or more.
        eight_bit: judge images rounded to 8 bits within the ball (see ``to_eight_bit``), as they would be saved.
        look_for_masking: look for signs of gradient masking on the first batch, for about one more attack on it.

    Returns:
        Both accuracies with intervals, image by image, and warnings.

    Raises:
        SettingError: if the attack is set to attack in training mode.

    Example:
        >>> from gossamer.attack import PGD
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> images = torch.rand(100, 1, 2, 2)
        >>> print(robust_accuracy(model, images, model(images).argmax(1), PGD(eps=0.3)))
        clean 100.0 % [96.3, 100.0], n = 100
        robust 83.0 % [74.5, 89.1], n = 100
    """
    if (mode := getattr(attack, "batch_norm", "eval")) != "eval":
        raise SettingError(
            f"expected an attack in evaluation mode, got batch_norm={mode!r}; "
            "pass dataclasses.replace(attack, batch_norm='eval')"
        )
    check_count("batch_size", batch_size)
    check_seed(seed)
    check_shape(images)
    check_some(images)
    labels = check_labels(labels, images)
    clean: list[Tensor] = []
    robust: list[Tensor] = []
    signs: tuple[str, ...] = ()
    for first in range(0, len(images), batch_size):
        batch, truth = _batch(images, labels, first, batch_size, _device(model, images))
        with as_found(model):
            right = is_right(model, batch, truth)
        places = right.nonzero().flatten()
        survived = _after(model, batch[places], truth[places], attack, eight_bit, _draws(seed, first + places))
        if look_for_masking and first == 0 and len(places):
            signs = quick_signs(model, batch[places], truth[places], attack, survived)
        clean.append(right.cpu())
        robust.append(torch.zeros_like(right).index_put((places,), survived).cpu())
    return _result(torch.cat(clean), torch.cat(robust), signs)


def _result(clean: Tensor, robust: Tensor, signs: tuple[str, ...]) -> RobustAccuracy:
    return RobustAccuracy(
        clean=wilson(int(clean.sum()), len(clean)),
        robust=wilson(int(robust.sum()), len(robust)),
        clean_right=clean,
        robust_right=robust,
        warnings=signs,
    )


def _batch(images: Tensor, labels: Tensor, first: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """One batch on the model's device, checked."""
    batch = images[first : first + size].to(device)
    batch = batch.float() / 255 if batch.dtype == torch.uint8 else batch
    return check_images(batch), labels[first : first + size].to(device)


def _device(model: nn.Module, images: Tensor) -> torch.device:
    return next((tensor.device for tensor in model.parameters()), images.device)


def _after(
    model: nn.Module, images: Tensor, labels: Tensor, attack: Attack, eight_bit: bool, generator: Source
) -> Tensor:  # (B,)
    """Which images are still right after the attack; there may be none to attack."""
    if len(images) == 0:
        return torch.zeros(0, dtype=torch.bool, device=images.device)
    adversarial = attack(model, images, labels, generator=generator)
    if eight_bit:
        adversarial = to_eight_bit(adversarial, images, attack.eps, attack.norm).to(images.dtype) / 255
    with as_found(model):
        return is_right(model, adversarial, labels)


def _draws(seed: int, indices: Tensor) -> list[torch.Generator]:
    """A generator for each image."""
    words = [np.random.SeedSequence((seed, index)).generate_state(1, np.uint64) for index in indices.tolist()]
    return [torch.Generator().manual_seed(int(word[0]) >> 1) for word in words]  # manual_seed takes 63 bits
