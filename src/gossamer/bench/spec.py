"""What one run is: every field that decides its result, and a key made of all of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal, get_args

from gossamer.bench.adversarial import Adversarial
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.settings import TrainSettings
from gossamer.bench.trace import Trace
from gossamer.core.distribution import check_sparsity
from gossamer.core.errors import SettingError

SCHEMA = 3

Weights = Literal["own", "initial", "final"]


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
        keep: share of the training set that is drawn at random, the same images in all runs (P1); 1 is all.
        corrupted: how training and test images are corrupted; None is not at all.
        hard: which samples are trained on; None is all.
        adversarial: under which attacks it is trained and evaluated; None is none.
        log: keep the outputs on the training set after each epoch, for scores over epochs.
        stop: step after which the run ends early (scores and rewinding points); None is the whole training.
        weights_seed: of the initial weights alone; None is ``seed``.
        origin: the run that masks, and perhaps weights, are taken from; None is none.
        trace: what is measured along the training; None is nothing.

    Raises:
        SettingError: sparsity outside [0, 1), a keep outside (0, 1], a negative seed, or an origin on other data, of
            another network or of another sparsity.
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
    keep: float = 1.0
    corrupted: Corrupted | None = None
    hard: Hard | None = None
    adversarial: Adversarial | None = None
    log: bool = False
    stop: int | None = None
    weights_seed: int | None = None
    origin: "Origin | None" = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        check_sparsity(self.sparsity)
        for seed in (self.seed, self.weights_seed or 0):
            if seed < 0:
                raise SettingError(f"expected a seed of 0 or more, got {seed}")
        if not 0 < self.keep <= 1:
            raise SettingError(f"expected keep in (0, 1], got {self.keep}; 0.3 keeps 30 % of the training images")
        if self.origin is not None:
            self._check_origin(self.origin.run)

    def _check_origin(self, other: "RunSpec") -> None:
        """Masks fit where the network is the same; what was trained on is shared by both, and so must be described."""
        same = ("fingerprint", "model", "code", "keep", "corrupted", "hard", "adversarial")
        if odd := [name for name in same if getattr(self, name) != getattr(other, name)]:
            told = ", ".join(f"{name}: {getattr(self, name)} and {getattr(other, name)}" for name in odd)
            raise SettingError(
                f"expected a run on the same data with the same network as the run its masks come from, got {told}; "
                "give both the same options"
            )
        if self.sparsity != other.sparsity:
            raise SettingError(
                f"expected the sparsity of the run that masks come from, {other.sparsity:g}, got {self.sparsity:g}"
            )

    def resolved(self) -> dict[str, Any]:
        """All fields as plain numbers, strings and dictionaries."""
        plain = {"schema": SCHEMA, **asdict(replace(self, settings=dict(self.settings)))}
        if self.corrupted is not None:
            plain["frost"] = self.corrupted.resolved_frost()
        if self.adversarial is not None:
            plain["attacks"] = self.adversarial.resolved()
        if self.origin is not None:
            plain["origin"] = {"weights": self.origin.weights, "run": self.origin.run.resolved()}
        return plain

    @property
    def key(self) -> str:
        """A readable name and a hash of every resolved field: equal specs, equal keys."""
        plain = _without_names(self.resolved())
        digest = sha256(json.dumps(_floats(plain), sort_keys=True).encode()).hexdigest()[:12]
        words = [self.data, self.model, self.recipe, f"s{self.sparsity:g}", f"seed{self.seed}", digest]
        return "-".join(re.sub(r"[^\w.]+", "_", word).strip("_")[-40:] for word in words)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The run that another run takes its masks from, trained once and shared by all that do (P3).

    Args:
        run: that run.
        weights: ``"own"`` ones as the taker's seed draws them (P3's scratch), those the run began with, ``"initial"``
            (a lottery ticket), or its trained ones, ``"final"`` (pruned and restarted).

    Raises:
        SettingError: another word for the weights.
    """

    run: RunSpec
    weights: Weights = "own"

    def __post_init__(self) -> None:
        """Refuse other words."""
        if self.weights not in get_args(Weights):
            raise SettingError(f"expected weights of the origin to be one of {get_args(Weights)}, got {self.weights!r}")


def _without_names(plain: dict[str, Any]) -> dict[str, Any]:
    """Without the name of the data set, whose fingerprint counts: the run's and that of the run it stems from."""
    own = {name: value for name, value in plain.items() if name != "data"}
    origin = own.get("origin")
    return own if origin is None else {**own, "origin": {**origin, "run": _without_names(origin["run"])}}


def _floats(value: Any) -> Any:
    """Numbers of one kind, so that lr=1 and lr=1.0 are the same run."""
    if isinstance(value, dict):
        return {key: _floats(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
