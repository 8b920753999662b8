"""The runs of P3's MNIST experiments (Evci et al. 2022, arXiv:2010.03533), one line a variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gossamer.bench.recipes import find
from gossamer.bench.settings import Initial, TrainSettings, preset
from gossamer.bench.spec import Origin, RunSpec, Weights
from gossamer.bench.trace import Trace
from gossamer.core.errors import SettingError, UnknownNameError

# P3's tfmot schedule prunes from step 3000 to 7000 of 11 719, every 100 steps, each layer alike; as shares of our
# training, whose epochs end with a smaller batch: 469 steps each, 11 725 in all
PRUNING = {"scope": "layer", "begin": str(3000 / 11_725), "end": str(7000 / 11_725)}
APART = 10  # seeds of all other variants, so that none is the pruned run's own and thereby a lottery ticket


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One network of P3's MNIST experiments.

    Args:
        name: of the experiment.
        model: name of the network.
        sparsity: of all its sparse variants.
        every: steps between mask updates.
        prune_every: steps between prunings of the pruned run.
        hidden: widths of P3's small dense network.
        channels_last: memory layout; decides bits and speed, not the method.
        snapshots: mask updates before and after which the rewiring runs keep their weights, for Hessians.
    """

    name: str
    model: str
    sparsity: float
    every: int
    prune_every: int = 100
    hidden: tuple[int, ...]
    channels_last: bool = False
    snapshots: tuple[int, ...] = (500, 2000, 5000)


_LENET5 = Experiment(
    name="p3-lenet5", model="lenet5", sparsity=0.95, every=100, hidden=(3, 3, 27, 20), channels_last=True
)
_MLP = Experiment(name="p3-mlp", model="mlp300", sparsity=0.98, every=500, hidden=(8, 8))
EXPERIMENTS: dict[str, Experiment] = {plan.name: plan for plan in (_LENET5, _MLP)}


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way to a sparse network, and where it starts.

    Args:
        label: in tables and figures.
        recipe: what trains it.
        weights: which it starts from under the pruned network's masks; None: it needs no masks of another run.
        initial: how its own weights are drawn; ``+`` in P3's names is ``scaled_per_neuron``.
        settings: of the recipe, by name.
        one_start: all seeds share their initial weights and differ in the order of images alone.
    """

    label: str
    recipe: str
    weights: Weights | None = "own"
    initial: Initial = "model"
    settings: Mapping[str, str] = field(default_factory=dict)
    one_start: bool = False


_REWIRING = {"fraction": "0.3", "stop": "1.0"}  # P3: 0.3 scaled by lr(t)/lr(0), a cosine to 0 at the last step
_SET = {**_REWIRING, "fraction_end": "0.0", "drop_by": "magnitude"}

VARIANTS: dict[str, Variant] = {
    "pruned": Variant(label="Pruned", recipe="gmp", weights=None, settings=PRUNING),
    "lottery": Variant(label="Lottery", recipe="static", weights="initial"),
    "scratch": Variant(label="Scratch", recipe="static"),
    "scratch_one": Variant(label="Scratch, one initialisation", recipe="static", one_start=True),
    "scratch_plus": Variant(label="Scratch+", recipe="static", initial="scaled_per_neuron"),
    "rigl": Variant(label="RigL", recipe="rigl", settings=_REWIRING),
    "rigl_plus": Variant(label="RigL+", recipe="rigl", initial="scaled_per_neuron", settings=_REWIRING),
    "rigl_inverted": Variant(label="RigL inverted", recipe="rigl_inverted", settings=_REWIRING),
    "rigl_inverted_plus": Variant(
        label="RigL inverted+", recipe="rigl_inverted", initial="scaled_per_neuron", settings=_REWIRING
    ),
    "set": Variant(label="SET", recipe="set", settings=_SET),
    "set_plus": Variant(label="SET+", recipe="set", initial="scaled_per_neuron", settings=_SET),
    "small_dense": Variant(label="Small dense", recipe="small_dense", weights=None),
    "restart": Variant(label="Prune restart", recipe="static", weights="final"),
}


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Args:
        name: one of ``EXPERIMENTS``.

    Returns:
        The experiment.

    Raises:
        UnknownNameError: there is none, with the nearest name.

    Example:
        >>> experiment("p3-lenet5").sparsity
        0.95
    """
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def settings_of(plan: Experiment, epochs: int | None = None) -> TrainSettings:
    """P3's training: images in [0, 1] without normalisation, RigL's growth on 1000 fixed images.

    Args:
        plan: the experiment.
        epochs: instead of P3's 25, for a trial.

    Returns:
        The settings.

    Example:
        >>> settings_of(experiment("p3-mlp")).lr
        0.2
    """
    found = replace(preset(plan.model), channels_last=plan.channels_last, normalize=False, growth_images=1000)
    return found if epochs is None else replace(found, epochs=epochs)


def runs(
    plan: Experiment, data: str, fingerprint: str, train: TrainSettings, seeds: int, names: Sequence[str] = ()
) -> dict[str, list[RunSpec]]:
    """The runs of each variant.

    Args:
        plan: the experiment.
        data: name of the data set.
        fingerprint: of its content.
        train: how each is trained.
        seeds: runs of a variant.
        names: of the variants; none names all.

    Returns:
        Specs by variant; the pruned runs have seeds from 0, all others from 10 and the masks of the first pruned one.

    Raises:
        SettingError: fewer than one seed, or more than 10.
        UnknownNameError: no such variant.
    """
    if not 1 <= seeds <= APART:
        raise SettingError(f"expected 1 to {APART} seeds, got {seeds}; the paper has 5")
    for name in names:
        if name not in VARIANTS:
            raise UnknownNameError("variant", name, VARIANTS)
    base = RunSpec(
        data=data, fingerprint=fingerprint, model=plan.model, recipe="dense", train=train, trace=Trace(), seed=0
    )
    pruned = _spec(base, plan, VARIANTS["pruned"], 0, None)
    return {
        name: [_spec(base, plan, VARIANTS[name], seed, pruned) for seed in range(seeds)] for name in names or VARIANTS
    }


def _spec(base: RunSpec, plan: Experiment, variant: Variant, seed: int, pruned: RunSpec | None) -> RunSpec:
    apart = 0 if variant.recipe == "gmp" else APART
    rewires = "fraction" in variant.settings
    given = dict(variant.settings)
    if variant.recipe == "small_dense":
        given["hidden"] = "+".join(map(str, plan.hidden))
    elif variant.recipe == "gmp" or rewires:
        given["every"] = str(plan.every if rewires else plan.prune_every)
    origin = None if variant.weights is None or pruned is None else Origin(run=pruned, weights=variant.weights)
    settings = find(variant.recipe, given_masks=origin is not None).words(variant.recipe, given)
    return replace(
        base,
        recipe=variant.recipe,
        sparsity=plan.sparsity,
        settings=settings,
        seed=seed + apart,
        weights_seed=APART if variant.one_start else None,
        train=replace(base.train, initial=variant.initial),
        trace=Trace(snapshots=plan.snapshots) if rewires else base.trace,
        origin=origin,
    )
