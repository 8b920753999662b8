"""The names of the command line: what each recipe starts from, and in how many rounds it trains."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gossamer.analyze.training_flops import Segment
from gossamer.bench.data import seeded
from gossamer.bench.models import small_dense
from gossamer.bench.parse import as_text, parameters, parse
from gossamer.bench.spec import RunSpec
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.masks import Masks
from gossamer.core.method import Method
from gossamer.core.named import select
from gossamer.methods import AT_INIT, METHODS, Started, Static
from gossamer.methods.tickets import LTH, prune

AT_INIT_ELSEWHERE: dict[str, Any] = {"where": None, "seed": 0}
FEW_UPDATES = 5
CONSTANT = ("set", "rigl", "rigl_inverted")  # rewire at a constant number of weights, so they can start anywhere
METHOD_ELSEWHERE: dict[str, Any] = {"sparsity": 0.0, "total_steps": 1_000_000}


class Lab(Protocol):
    """What a recipe may ask of the run it belongs to."""

    spec: RunSpec

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""

    def fresh(self, **settings: Any) -> nn.Module:
        """The network as the seed draws it, the same for every recipe; settings are further keywords of ``build``."""

    def initial(self) -> nn.Module:
        """What the dense run of this seed starts from."""

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Some batches of training images in [0, 1] with their labels."""

    def dense(self, stop: int | None = None) -> Mapping[str, Any]:
        """The dense run of this seed, trained once and shared: ``model``, and ``optimizer`` if stopped early."""

    def origin(self) -> Mapping[str, Any]:
        """The run that masks are taken from: ``masks``, and ``initial`` and ``final`` weights, by name."""

    def sizes(self) -> dict[str, Any]:
        """Keywords of ``build``: classes, image size, channels, normalisation."""


@dataclass(frozen=True)
class Start:
    """What a round of training starts from.

    Args:
        model: the network.
        method: what keeps it sparse; None is dense.
        where: the weights it selects; None is the default.
        first_step: step of the schedule it starts at.
        optimizer: state of the optimizer at that step.
        fresh: weights are as initialised, so a sparse initialisation may redraw them.
        prior: training that was paid for before, besides the earlier rounds.
    """

    model: nn.Module
    method: Method | None = None
    where: tuple[str, ...] | None = None
    first_step: int = 0
    optimizer: Mapping[str, Any] | None = None
    fresh: bool = True
    prior: tuple[Segment, ...] = ()


Before = Mapping[str, Any]  # "model": weights and "masks" at the end of the round before


@dataclass(frozen=True)
class Recipe:
    """A way to a trained network.

    Args:
        about: one line for the command line.
        begin: what a round starts from, given the lab, the settings, the round and the round before.
        settings: class or function whose keywords ``--set`` may name; None for none.
        elsewhere: keywords that are set elsewhere, each with a value that lets the others be checked.
        rounds: how many trainings follow one another.
        sparse: whether it takes a sparsity.
    """

    about: str
    begin: Callable[[Lab, Mapping[str, Any], int, Before | None], Start]
    settings: Callable[..., Any] | None = None
    elsewhere: Mapping[str, Any] = field(default_factory=dict)
    rounds: Callable[[Mapping[str, Any]], int] = field(default=lambda settings: 1)
    sparse: bool = True

    def resolve(self, name: str, texts: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of the recipe, the given ones checked and the others at their defaults.

        Args:
            name: of the recipe.
            texts: given values.

        Returns:
            Values by name.

        Raises:
            SettingError: the recipe has no settings, or a value does not fit.
        """
        if self.settings is None:
            if texts:
                raise SettingError(f"expected no settings for {name!r}, got {', '.join(texts)}; drop --set")
            return {}
        without = tuple(self.elsewhere)
        values = {**parameters(self.settings, without), **parse(self.settings, texts, without=without)}
        if isinstance(self.settings, type):
            self.settings(**self.elsewhere, **values)  # refuses what is out of range before anything is trained
        return values

    def words(self, name: str, texts: Mapping[str, Any]) -> dict[str, str]:
        """All settings of the recipe as text that ``resolve`` reads: what a run's description keeps."""
        return {key: as_text(value) for key, value in self.resolve(name, texts).items()}


def find(name: str, given_masks: bool = False) -> Recipe:
    """The recipe of that name.

    Args:
        name: one of ``RECIPES``, or ``static`` where masks are given.
        given_masks: masks are taken from another run.

    Returns:
        The recipe.

    Raises:
        UnknownNameError: there is none, with the nearest name.
        SettingError: it is ``static`` without masks, or draws its own masks though others are given.

    Example:
        >>> find("lth").about[:14]
        'Lottery ticket'
    """
    if given_masks:
        return _started(name)
    if name == "static":
        raise SettingError("static takes masks, which a command line cannot give: use Sparsifier(Static(masks), ...)")
    if name not in RECIPES:
        raise UnknownNameError("method", name, RECIPES)
    return RECIPES[name]


def _dense(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
    return Start(lab.fresh())


def narrow(*, hidden: tuple[int, ...] | None = None) -> None:
    """What may be set of a narrower network.

    Args:
        hidden: its hidden widths, such as P3's 3+3+27+20 of lenet5; None is one factor on all of them.
    """


def _small_dense(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
    """A narrower network with at most as many weights as the sparse one has alive."""
    if settings["hidden"] is not None:
        return Start(lab.fresh(hidden=settings["hidden"]))
    weights = sum(weight.numel() for weight in select(lab.fresh()).values())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights_seed(lab.spec))
        return Start(small_dense(lab.spec.model, round((1 - lab.spec.sparsity) * weights), **lab.sizes()))


def _stepwise(name: str) -> Recipe:
    method: Any = METHODS[name]

    def begin(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
        chosen = method(sparsity=lab.spec.sparsity, total_steps=lab.total_steps, **settings)
        _warn_of_few_updates(name, chosen, lab.total_steps)
        return Start(lab.fresh(), chosen)

    return Recipe(_first_line(method), begin, method, METHOD_ELSEWHERE)


def _started(name: str) -> Recipe:
    """The recipe of a method that keeps given masks, or changes them as it goes."""
    if name == "static":
        return Recipe("masks of another run, fixed", _inherited)
    if name not in CONSTANT:
        able = ", ".join(("static", *CONSTANT))
        raise SettingError(f"expected a method that can start from given masks ({able}), got {name!r}")
    kind: Any = METHODS[name]
    return Recipe(_first_line(kind), partial(_inherited, method=kind), kind, METHOD_ELSEWHERE)


def _inherited(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None, method: Any = None) -> Start:
    """Masks of another run, and its weights if they are wanted."""
    given = lab.origin()
    model, masks, spec = lab.fresh(), given["masks"], lab.spec
    assert spec.origin is not None
    if spec.origin.weights != "own":
        model.load_state_dict(given[spec.origin.weights])
    if method is None:
        chosen: Method = Static(masks)
    else:
        chosen = Started(method(sparsity=spec.sparsity, total_steps=lab.total_steps, **settings), masks)
    return Start(model, chosen, tuple(masks), fresh=spec.origin.weights == "own")


def weights_seed(spec: RunSpec) -> int:
    """The seed of a run's initial weights."""
    return spec.seed if spec.weights_seed is None else spec.weights_seed


def _warn_of_few_updates(name: str, method: Any, total_steps: int) -> None:
    """Published intervals suit long trainings; in a short one the wiring would hardly change."""
    updates = sum(method.due(step) for step in range(total_steps))
    better = max(1, total_steps // 50)
    if hasattr(method, "interval") and updates < FEW_UPDATES and better < method.interval:
        warnings.warn(
            f"{name} changes its masks only {updates} times in {total_steps} steps (every={method.interval}); "
            f"for a short training pass --set {name}.every={better}",
            stacklevel=2,
        )


def _at_init(name: str) -> Recipe:
    choose: Any = AT_INIT[name]

    def begin(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
        model = lab.fresh()
        loss, spec = nn.functional.cross_entropy, lab.spec
        masks = choose(model, loss, lab.batches(), spec.sparsity, seed=spec.seed, **settings)
        # P1 counts one dense batch for the choice
        return Start(model, Static(masks, spec.sparsity), tuple(masks), prior=(Segment(steps=1),))

    return Recipe(_first_line(choose), begin, choose, AT_INIT_ELSEWHERE)


def _lth(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
    """Prune what was trained, go back to the start (or to the step ``rewind``), train again."""
    plan = LTH(sparsity=lab.spec.sparsity, **settings)
    if plan.rewind >= lab.total_steps:
        raise SettingError(f"expected rewind below the {lab.total_steps} steps of the training, got {plan.rewind}")
    trained = lab.dense()["model"] if before is None else before["model"]
    masks = _pruned(lab, trained, plan.sparsity_after(round_ + 1), "global", before)
    model, optimizer = lab.initial(), None
    if plan.rewind:
        early = lab.dense(stop=plan.rewind)
        model.load_state_dict(early["model"])
        optimizer = early["optimizer"]
    prior = (Segment(steps=lab.total_steps),) if before is None else ()
    ticket = Static(masks, plan.sparsity_after(round_ + 1))
    return Start(model, ticket, tuple(masks), plan.rewind, optimizer, fresh=False, prior=prior)


def _omp(budget: str) -> Callable[[Lab, Mapping[str, Any], int, Before | None], Start]:
    def begin(lab: Lab, settings: Mapping[str, Any], round_: int, before: Before | None) -> Start:
        """Prune what was trained, and train on from there with the whole schedule."""
        model, trained = lab.fresh(), lab.dense()["model"]
        masks = _pruned(lab, trained, lab.spec.sparsity, budget, None)
        model.load_state_dict(trained)
        ticket = Static(masks, lab.spec.sparsity)
        return Start(model, ticket, tuple(masks), fresh=False, prior=(Segment(steps=lab.total_steps),))

    return begin


def _pruned(lab: Lab, trained: Mapping[str, Tensor], sparsity: float, budget: str, before: Before | None) -> Masks:
    model = lab.fresh()
    model.load_state_dict(trained)
    masks = None if before is None else before["masks"]
    return prune(select(model), sparsity, seeded(lab.spec.seed, 3), budget=budget, candidates=masks)


def _first_line(described: Any) -> str:
    return str(described.__doc__).split("\n")[0].rstrip(".")


RECIPES: dict[str, Recipe] = {
    "dense": Recipe("the dense network, the baseline", _dense, sparse=False),
    "small_dense": Recipe(
        "a narrower dense network with at most as many weights as the sparse one", _small_dense, narrow
    ),
    **{name: _stepwise(name) for name in METHODS if name != "static"},
    **{name: _at_init(name) for name in AT_INIT},
    "lth": Recipe(_first_line(LTH), _lth, LTH, {"sparsity": 0.0}, rounds=lambda settings: int(settings["rounds"])),
    "omp": Recipe("one-shot magnitude pruning of the trained network, all layers compared (P1 A.1)", _omp("global")),
    "omp_erk": Recipe("one-shot magnitude pruning of the trained network within ERK densities (P1 A.1)", _omp("erk")),
}
