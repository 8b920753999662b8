"""How hard each training sample is: scores by networks trained for that alone, kept and shared by all runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from torch import Tensor, nn

from gossamer.bench.difficulty import Hard
from gossamer.bench.evaluate import logits
from gossamer.bench.models import build
from gossamer.bench.place import Bench
from gossamer.bench.run import logged, run
from gossamer.bench.samples import as_input, steps_per_epoch
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import SettingError
from gossamer.hardness import SCORES, collect_features, hardest

FIRST_SEED = 1000  # scoring networks share no seed with the runs they choose samples for
CHUNK = 250  # images whose gradients are held at once


@dataclass(frozen=True)
class Scored:
    """One difficulty score of every training image.

    Args:
        name: of the score.
        each: of each network, float64 (K, N).
        mean: over the networks, as the score itself averages them, (N,); larger is harder.
        epochs: after which the networks were asked, or over which they were watched.
        runs: keys of the networks' runs.
    """

    name: str
    each: Tensor
    mean: Tensor
    epochs: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Hardest:
    """The samples that are trained on, and how they were found.

    Args:
        indices: of the bench's training images, sorted.
        scored: of every training image.
        provenance: the same in words.
    """

    indices: Tensor
    scored: Scored
    provenance: str


def choose(spec: RunSpec, bench: Bench) -> Hardest | None:
    """The hardest samples for a run; None if it trains on all.

    Args:
        spec: a run; its model and training settings are those of the scoring networks.
        bench: where; scores are of its training images.

    Returns:
        The choice; its scores are computed once and kept beside the runs.

    Raises:
        SettingError: the run has the seed of a scoring network.
    """
    hard = spec.hard
    if hard is None:
        return None
    seeds = range(FIRST_SEED, FIRST_SEED + hard.models)
    if spec.seed in seeds:
        raise SettingError(
            f"expected a run's seed apart from those of the scoring networks, {FIRST_SEED} to {seeds[-1]}, got "
            f"{spec.seed}; choose a smaller seed"
        )
    scored = score(spec, bench, hard.score, models=hard.models, epochs=hard.epochs)
    labels = bench.train.labels.cpu()
    indices = hardest(scored.mean, hard.keep, labels=labels, per_class=hard.per_class, drop=hard.drop)
    return Hardest(indices, scored, _words(hard, len(indices), len(labels), scored.epochs, spec.train.epochs))


def score(spec: RunSpec, bench: Bench, name: str, *, models: int, epochs: int | None) -> Scored:
    """Score every training image, from the disk if it is there.

    Args:
        spec: a run; model and training settings are those of the scoring networks, which train on clean labels and
            without attacks.
        bench: where; all its training images are scored.
        name: of the score.
        models: how many networks, of seeds 1000, 1001, ...
        epochs: after which they are asked; None is a tenth of the training, or all of it for scores over epochs.

    Returns:
        The scores of each network and their mean.

    Raises:
        SettingError: a score over epochs that would see only one.
    """
    if SCORES[name].needs == "epochs" and _epochs(spec, name, epochs) < 2:
        raise SettingError(
            f"expected at least 2 epochs for {name}, a score over epochs, got 1; raise --epochs or --score-epochs"
        )
    specs = scoring_runs(spec, bench, name, models=models, epochs=epochs)
    keys = tuple(each.key for each in specs)
    folder = RunFolder(bench.out / f"{name}-{sha256(' '.join(keys).encode()).hexdigest()[:12]}")
    if not (folder.path / "scores.safetensors").exists():
        each, mean = _computed(specs, bench, name)
        folder.write_json("provenance.json", {"score": name, "runs": list(keys), "about": SCORES[name].about})
        folder.save_tensors("scores.safetensors", {"each": each, "mean": mean})
    found = folder.load_tensors("scores.safetensors")
    return Scored(name, found["each"], found["mean"], _epochs(spec, name, epochs), keys)


def scoring_runs(spec: RunSpec, bench: Bench, name: str, *, models: int, epochs: int | None) -> list[RunSpec]:
    """The dense runs whose networks are asked: prefixes of whole trainings."""
    stop = _epochs(spec, name, epochs) * steps_per_epoch(len(bench.train), spec.train)
    plain = replace(spec, recipe="dense", sparsity=0.0, settings={}, hard=None, adversarial=None, stop=stop)
    plain = replace(plain, log=SCORES[name].needs == "epochs")
    return [replace(plain, seed=seed) for seed in range(FIRST_SEED, FIRST_SEED + models)]


def _epochs(spec: RunSpec, name: str, epochs: int | None) -> int:
    every = spec.train.epochs
    return min(epochs or (every if SCORES[name].needs == "epochs" else max(1, round(0.1 * every))), every)


def _computed(specs: Sequence[RunSpec], bench: Bench, name: str) -> tuple[Tensor, Tensor]:
    """Scores of each network and of all of them, one forward pass a network."""
    entry = SCORES[name]
    for spec in specs:
        run(spec, bench)
    labels = bench.train.labels.cpu()
    if entry.needs == "gradients":
        each = torch.stack([_by_gradients(spec, bench, name) for spec in specs])
        return each, each.mean(0)
    if entry.needs == "features":
        pairs = [_features(spec, bench) for spec in specs]
        given: tuple[Tensor, ...] = (torch.stack([a for a, _ in pairs]), torch.stack([b for _, b in pairs]))
    elif entry.needs == "epochs":
        given = (torch.stack([logged(spec, bench) for spec in specs]),)
    else:
        given = (torch.stack([_logits(spec, bench) for spec in specs]),)
    score = entry.function
    outputs, rest = given[0], given[1:]
    own = [score(outputs[k : k + 1], labels, *(part[k : k + 1] for part in rest)) for k in range(len(specs))]
    return torch.stack(own), score(outputs, labels, *rest)


def trained(spec: RunSpec, bench: Bench) -> nn.Module:
    """The network of a finished run, in evaluation mode."""
    data = bench.data
    sizes = {"num_classes": data.num_classes, "image_size": data.image_size, "channels": data.channels}
    with torch.random.fork_rng(devices=[]):
        model = build(spec.model, **sizes, normalize=(data.mean, data.std))
    model.load_state_dict(RunFolder(bench.out / spec.key).load_tensors("model.safetensors"))
    return model.to(bench.device).eval()


def _logits(spec: RunSpec, bench: Bench) -> Tensor:
    return logits(trained(spec, bench), bench.train.images, spec.train).cpu()


def _features(spec: RunSpec, bench: Bench) -> tuple[Tensor, Tensor]:
    samples, batch = bench.train, 1000
    parts = torch.split(torch.arange(len(samples)), batch)
    batches = ((part, as_input(samples.images[part], spec.train), samples.labels[part]) for part in parts)
    outputs, _, features = collect_features(trained(spec, bench), batches, len(samples))
    return outputs, features


def _by_gradients(spec: RunSpec, bench: Bench, name: str) -> Tensor:
    model, samples = trained(spec, bench), bench.train
    parts = torch.split(torch.arange(len(samples)), 10 * CHUNK)
    scores = [
        SCORES[name].function(model, as_input(samples.images[part], spec.train), samples.labels[part], chunk=CHUNK)
        for part in parts
    ]
    return torch.cat(scores).cpu().double()


def _words(hard: Hard, kept: int, total: int, epochs: int, of: int) -> str:
    how = "of every class" if hard.per_class else "over all classes"
    without = f", the very hardest {hard.drop:.3g} left out" if hard.drop else ""
    when = f"over {epochs}" if SCORES[hard.score].needs == "epochs" else f"after {epochs}"
    name = "EL2N" if hard.score == "el2n" else hard.score.replace("_", " ")
    return (
        f"{kept} of {total} training images, the hardest {how} by {name} {when} of {of} epochs, "
        f"mean of {hard.models} network{'s' if hard.models > 1 else ''}{without}"
    )
