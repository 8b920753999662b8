"""What one run is: every field that decides its result, and a key made of all of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

from gossamer.bench.settings import TrainSettings
from gossamer.core.distribution import check_sparsity
from gossamer.core.errors import SettingError

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Hard:
    """Train on the hardest share of the training set only.

    The papers leave open how many models are averaged and after how many epochs (assumed: three, after a tenth of
    the training; Paul et al. 2021, arXiv:2107.07075, take ten models after 10 to 20 of 200 epochs).

    Args:
        score: name of the difficulty score; ``"el2n"``.
        keep: share of the training set that is kept, in (0, 1].
        models: how many networks are trained for the score and averaged.
        epochs: after how many epochs they are asked; None is a tenth of the training, at least one.
        per_class: keep the same share of every class instead of the hardest over all.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> Hard.parse("el2n:0.5").keep
        0.5
    """

    score: str = "el2n"
    keep: float = 0.5
    models: int = 3
    epochs: int | None = None
    per_class: bool = False

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if self.score != "el2n":
            raise SettingError(f"expected the score 'el2n', got {self.score!r}; write --hard el2n:0.5")
        if not 0 < self.keep <= 1:
            raise SettingError(f"expected keep in (0, 1], got {self.keep}; 0.5 keeps the hardest half")
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
class RunSpec:
    """One training with its evaluation.

    Args:
        data: name or path of the data set.
        fingerprint: hash of its content, so that a changed file is another run.
        model: name of the network or ``package.module:factory``.
        code: hash of the source of a network of the user's own, so that a changed one is another run.
        recipe: a name of ``RECIPES``.
        sparsity: share of zeros, in [0, 1); 0 for dense.
        settings: of the recipe, all of them resolved, in words.
        train: how it is trained.
        seed: decides initial weights, order of images and random wiring.
        hard: which samples are trained on; None is all.
        stop: step after which the run ends early (scores and rewinding points); None is the whole training.

    Raises:
        SettingError: sparsity outside [0, 1), a negative seed.
    """

    data: str
    fingerprint: str
    model: str
    code: str = ""
    recipe: str
    sparsity: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    train: TrainSettings
    seed: int = 0
    hard: Hard | None = None
    stop: int | None = None

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        check_sparsity(self.sparsity)
        if self.seed < 0:
            raise SettingError(f"expected a seed of 0 or more, got {self.seed}")

    def resolved(self) -> dict[str, Any]:
        """All fields as plain numbers, strings and dictionaries."""
        return {"schema": SCHEMA, **asdict(replace(self, settings=dict(self.settings)))}

    @property
    def key(self) -> str:
        """A readable name and a hash of every resolved field: equal specs, equal keys."""
        plain = {name: value for name, value in self.resolved().items() if name != "data"}
        digest = sha256(json.dumps(_floats(plain), sort_keys=True).encode()).hexdigest()[:12]
        words = [self.data, self.model, self.recipe, f"s{self.sparsity:g}", f"seed{self.seed}", digest]
        return "-".join(re.sub(r"[^\w.]+", "_", word).strip("_")[-40:] for word in words)


def _floats(value: Any) -> Any:
    """Numbers of one kind, so that lr=1 and lr=1.0 are the same run."""
    if isinstance(value, dict):
        return {key: _floats(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
