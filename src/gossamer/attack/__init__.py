"""Adversarial attacks: settings in the dataclass, data in the call; images in [0, 1], the model left as found.

``PGD(eps=8/255, steps=20)(model, images, labels)`` gives adversarial images, ``robust_accuracy`` what they do to a
model, with intervals and signs of gradient masking; ``paired`` compares two models on the same images.
"""

from gossamer.attack.adversarial import P1_EVALUATE, P1_TRAIN, P1_TRAIN_RELEASED
from gossamer.attack.apgd import APGD
from gossamer.attack.autoattack import AutoAttack, AutoAttackRecord
from gossamer.attack.common import Attack
from gossamer.attack.eight_bit import to_eight_bit
from gossamer.attack.evaluate import RobustAccuracy, robust_accuracy
from gossamer.attack.fab import FAB
from gossamer.attack.fgsm import FGSM
from gossamer.attack.found import as_found
from gossamer.attack.intervals import Comparison, Proportion, paired, wilson
from gossamer.attack.losses import LOSSES
from gossamer.attack.masking import gradient_masking
from gossamer.attack.named import ATTACKS, named
from gossamer.attack.pgd import PGD
from gossamer.attack.square import Square

__all__ = [
    "APGD",
    "ATTACKS",
    "FAB",
    "FGSM",
    "LOSSES",
    "P1_EVALUATE",
    "P1_TRAIN",
    "P1_TRAIN_RELEASED",
    "PGD",
    "Attack",
    "AutoAttack",
    "AutoAttackRecord",
    "Comparison",
    "Proportion",
    "RobustAccuracy",
    "Square",
    "as_found",
    "gradient_masking",
    "named",
    "paired",
    "robust_accuracy",
    "to_eight_bit",
    "wilson",
]
