"""Under which attacks a run trains and is evaluated (P1, section 4.3)."""

from dataclasses import dataclass, replace

from gossamer.attack import FGSM, PGD, Attack, named
from gossamer.core.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """Train on attacked images and evaluate under attack (P1, section 4.3).

    P1 trains with PGD-10 and evaluates with PGD-20, both within 8/255 in steps of 2/255.

    Args:
        train: the attack on each training batch, as ``training_attack`` reads it; None trains on clean images.
        evaluate: the attack on the test set, as ``evaluation_attack`` reads it; None is PGD-20 within the radius that
            is trained for.
        images: how many test images are attacked, the first ones; None is all.

    Raises:
        SettingError: a setting of an attack outside its range, or fewer than one image.
        UnknownNameError: no such attack.

    Example:
        >>> Adversarial(train="pgd10").tested, Adversarial(train="pgd10:eps=4/255,restarts=2").tested
        ('pgd20', 'pgd20:eps=4/255')
    """

    train: str | None = "pgd10"
    evaluate: str | None = None
    images: int | None = None

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        self.resolved()
        if self.images is not None and self.images < 1:
            raise SettingError(f"expected at least 1 test image to attack, got {self.images}")

    @property
    def tested(self) -> str:
        """The attack on the test set, in words."""
        if self.evaluate is not None:
            return self.evaluate
        radius = [f"{name}={value}" for name, value in _settings(self.train or "").items() if name in ("eps", "norm")]
        return ":".join(["pgd20", *([",".join(radius)] if radius else [])])

    def resolved(self) -> list[str]:
        """Both attacks with all their settings: what decides a result."""
        attacks: list[Attack] = [] if self.train is None else [training_attack(self.train)]
        return [repr(attack) for attack in (*attacks, evaluation_attack(self.tested))]


def training_attack(text: str) -> FGSM | PGD:
    """An attack on training batches, with batch norm in training mode, as P1 has it, unless the text says otherwise.

    Args:
        text: ``fgsm`` or ``pgd10``, with settings as ``gossamer.attack.named`` reads them.

    Returns:
        The attack.

    Raises:
        SettingError: an attack that is not a fixed number of gradient steps.

    Example:
        >>> training_attack("pgd10").batch_norm, training_attack("pgd10:batch_norm=eval").batch_norm
        ('train', 'eval')
    """
    attack = named(text)
    if not isinstance(attack, FGSM | PGD):
        raise SettingError(
            f"expected fgsm or pgd to train under, such as pgd10, got {text!r}, whose cost differs from batch to "
            "batch; evaluate with it instead: --eval-attack"
        )
    return attack if "batch_norm" in _settings(text) else replace(attack, batch_norm="train")


def _settings(text: str) -> dict[str, str]:
    """What is set behind an attack's name."""
    pairs = (part.partition("=") for part in text.partition(":")[2].split(","))
    return {name.strip(): value.strip() for name, _, value in pairs if value}


def evaluation_attack(text: str) -> Attack:
    """An attack on test images.

    Args:
        text: as ``gossamer.attack.named`` reads it.

    Returns:
        The attack.

    Raises:
        SettingError: it would attack the network in training mode.

    Example:
        >>> evaluation_attack("pgd20").norm
        'linf'
    """
    attack = named(text)
    mode = getattr(attack, "batch_norm", "eval")
    if mode != "eval":
        raise SettingError(
            f"expected an attack on the network as it is evaluated, got batch_norm={mode} in {text!r}; leave it out"
        )
    return attack
