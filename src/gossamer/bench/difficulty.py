"""What makes a run's data hard: hard samples, corrupted images, attacks (P1's three kinds of hardness)."""

import re
from dataclasses import dataclass
from typing import Any

from gossamer.bench.adversarial import Adversarial
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.corrupt import CORRUPTIONS, FAMILIES, frost_source
from gossamer.corrupt.apply import check_severity
from gossamer.corrupt.training import P1_KINDS
from gossamer.hardness import SCORES


@dataclass(frozen=True, kw_only=True)
class Hard:
    """Train on the hardest share of the training set only.

    The papers leave open how many models are averaged and after how many epochs (assumed: three, after a tenth of
    the training; Paul et al. 2021, arXiv:2107.07075, take ten models after 10 to 20 of 200 epochs). Scores over
    epochs, such as forgetting, look at the whole training (assumed, as Toneva et al. 2019 do).

    Args:
        score: name of the difficulty score, of ``gossamer.hardness.SCORES``.
        keep: share of the training set that is kept, in (0, 1].
        drop: share of the very hardest that is left out first, where mislabelled images gather, in [0, 1).
        models: how many networks are trained for the score and averaged.
        epochs: after how many epochs they are asked; None is a tenth of the training, at least one, or the whole
            training for scores over epochs.
        per_class: keep the same share of every class instead of the hardest over all.

    Raises:
        SettingError: a value outside its range.
        UnknownNameError: no such score.

    Example:
        >>> Hard.parse("el2n:0.5").keep
        0.5
    """

    score: str = "el2n"
    keep: float = 0.5
    drop: float = 0.0
    models: int = 3
    epochs: int | None = None
    per_class: bool = False

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if self.score not in SCORES:
            raise UnknownNameError("difficulty score", self.score, SCORES)
        if not 0 < self.keep <= 1:
            raise SettingError(f"expected keep in (0, 1], got {self.keep}; 0.5 keeps the hardest half")
        if not 0 <= self.drop < 1 or self.keep + self.drop > 1:
            raise SettingError(f"expected keep + drop of at most 1, got {self.keep} + {self.drop}; lower one of them")
        if self.models < 1 or (self.epochs is not None and self.epochs < 1):
            raise SettingError(f"expected at least 1 model and 1 epoch, got {self.models} and {self.epochs}")

    @classmethod
    def parse(cls, text: str, **settings: Any) -> "Hard":
        """Read ``el2n:0.5``.

        Args:
            text: score and share.
            settings: the other fields.

        Returns:
            The description.

        Raises:
            SettingError: the text is not of this form.
        """
        found = re.fullmatch(r"(\w+):([\d.eE+-]+)", text)
        try:
            keep = float(found[2]) if found else None
        except ValueError:
            keep = None
        if found is None or keep is None:
            raise SettingError(f"expected --hard SCORE:SHARE, such as el2n:0.5, got {text!r}")
        return cls(score=found[1], keep=keep, **settings)


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """Corrupt the training and the test set, at the same severity (P1, section 4.2).

    P1 does not say how kinds are spread over images (assumed: one kind an image, drawn independently of its class,
    once for all runs). A single kind corrupts all images with it.

    Args:
        kinds: names of corruptions.
        severity: 1 to 6.
        family: whose constants; None: those of the image size, or of the nearest size if none was published.
        frost: where frost's textures come from, see ``gossamer.corrupt.corrupt``.
        seed: of the corruption, apart from the runs' seeds.

    Raises:
        SettingError: no kinds, a severity outside 1 to 6, or a negative seed.
        UnknownNameError: no such kind or family.

    Example:
        >>> Corrupted.parse("p1", severity=5).kinds
        ('gaussian_noise', 'impulse_noise', 'defocus_blur')
    """

    kinds: tuple[str, ...] = P1_KINDS
    severity: int = 5
    family: str | None = None
    frost: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if not self.kinds:
            raise SettingError("expected at least one kind of corruption, got none; 'p1' names the paper's three")
        for kind in self.kinds:
            if kind not in CORRUPTIONS:
                raise UnknownNameError("corruption", kind, CORRUPTIONS)
        check_severity(self.severity)
        if self.severity == 0:
            raise SettingError("expected a severity of 1 to 6, got 0, which changes nothing; leave the corruption out")
        if self.family is not None and self.family not in FAMILIES:
            raise UnknownNameError("family of corruption constants", self.family, FAMILIES)
        if self.seed < 0:
            raise SettingError(f"expected a seed of 0 or more, got {self.seed}")

    @classmethod
    def parse(cls, text: str, channels: int = 3, **settings: Any) -> "Corrupted":
        """Read names with commas, or ``p1``, ``standard``, ``all``.

        Args:
            text: which kinds.
            channels: of the images that will be corrupted.
            settings: the other fields.

        Returns:
            The description.
        """
        return cls(kinds=kinds(text, channels), **settings)

    def resolved_frost(self) -> str | None:
        """What frost would be made of here, None where no image gets any: part of what decides a result."""
        return frost_source(self.frost) if "frost" in self.kinds else None


def kinds(text: str, channels: int = 3) -> tuple[str, ...]:
    """Kinds of corruption from names with commas, or words for several.

    ``p1`` are the paper's three, ``standard`` the 15, ``all`` the 19 with the extra ones, ``bar`` ImageNet-C-bar's ten.

    Args:
        text: the words.
        channels: of the images; with one, a word for several leaves out the kinds that change colours.

    Returns:
        Their names, each once.

    Raises:
        UnknownNameError: no such kind.

    Example:
        >>> len(kinds("standard")), kinds("fog,frost"), len(kinds("all", channels=1))
        (15, ('fog', 'frost'), 17)
    """
    fitting = {name: kind for name, kind in CORRUPTIONS.items() if channels > 1 or not kind.colour}
    several = {
        "p1": P1_KINDS,
        "standard": tuple(name for name, kind in fitting.items() if kind.group not in ("extra", "bar")),
        "all": tuple(name for name, kind in fitting.items() if kind.group != "bar"),
        "bar": tuple(name for name, kind in fitting.items() if kind.group == "bar"),
    }
    names: list[str] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in several and word not in CORRUPTIONS:
            raise UnknownNameError("corruption", word, [*CORRUPTIONS, *several])
        names += several.get(word, (word,))
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """What makes the data of all runs of a command hard; by default nothing does.

    Args:
        keep: random share of the training set, in (0, 1].
        corrupted: how images are corrupted.
        hard: which samples are trained on.
        adversarial: under which attacks.
    """

    keep: float = 1.0
    corrupted: Corrupted | None = None
    hard: Hard | None = None
    adversarial: Adversarial | None = None


PLAIN = Difficulty()
