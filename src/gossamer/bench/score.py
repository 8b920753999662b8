"""Which training samples are hard: scores by networks trained for that alone, kept and shared by all runs."""

from dataclasses import dataclass, replace
from hashlib import sha256

import torch
from torch import Tensor

from gossamer.bench.evaluate import logits
from gossamer.bench.models import build
from gossamer.bench.place import Bench
from gossamer.bench.run import run
from gossamer.bench.samples import steps_per_epoch
from gossamer.bench.spec import Hard, RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import SettingError
from gossamer.hardness import el2n, hardest

FIRST_SEED = 1000  # scoring networks share no seed with the runs they choose samples for


@dataclass(frozen=True)
class Hardest:
    """The samples that are trained on, and how they were found.

    Args:
        indices: of the training set, sorted.
        scores: of every training sample, larger is harder.
        epochs: after which the scoring networks were asked.
        provenance: the same in words.
    """

    indices: Tensor
    scores: Tensor
    epochs: int
    provenance: str


def choose(spec: RunSpec, bench: Bench) -> Hardest | None:
    """The hardest samples for a run; None if it trains on all.

    Args:
        spec: a run; its model and training settings are those of the scoring networks.
        bench: where.

    Returns:
        The choice; its scores are computed once and kept beside the runs.

    Raises:
        SettingError: the run has the seed of a scoring network.
    """
    hard = spec.hard
    if hard is None:
        return None
    every = replace(bench, chosen=None)
    epochs = min(hard.epochs or max(1, round(0.1 * spec.train.epochs)), spec.train.epochs)
    seeds = range(FIRST_SEED, FIRST_SEED + hard.models)
    if spec.seed in seeds:
        raise SettingError(
            f"expected a run's seed apart from those of the scoring networks, {FIRST_SEED} to {seeds[-1]}, got "
            f"{spec.seed}; choose a smaller seed"
        )
    specs = [_scoring(spec, every, seed, epochs) for seed in seeds]
    scores = _scores(specs, every)
    labels = bench.data.train_labels
    indices = hardest(scores, hard.keep, labels=labels, per_class=hard.per_class)
    return Hardest(indices, scores, epochs, _words(hard, len(indices), len(labels), epochs, spec.train.epochs))


def _scoring(spec: RunSpec, bench: Bench, seed: int, epochs: int) -> RunSpec:
    stop = epochs * steps_per_epoch(len(bench.train), spec.train)
    return replace(spec, recipe="dense", sparsity=0.0, settings={}, hard=None, seed=seed, stop=stop)


def _scores(specs: list[RunSpec], bench: Bench) -> Tensor:
    """EL2N averaged over the scoring networks, from the disk if it is there."""
    name = sha256(" ".join(spec.key for spec in specs).encode()).hexdigest()[:12]
    folder = RunFolder(bench.out / f"el2n-{name}")
    if not (folder.path / "scores.safetensors").exists():
        outputs = torch.stack([_outputs(spec, bench) for spec in specs])
        folder.write_json("provenance.json", {"score": "el2n", "runs": [spec.key for spec in specs]})
        folder.save_tensors("scores.safetensors", {"scores": el2n(outputs, bench.train.labels)})
    return folder.load_tensors("scores.safetensors")["scores"]


def _outputs(spec: RunSpec, bench: Bench) -> Tensor:
    run(spec, bench)
    data = bench.data
    sizes = {"num_classes": data.num_classes, "image_size": data.image_size, "channels": data.channels}
    with torch.random.fork_rng(devices=[]):
        model = build(spec.model, **sizes, normalize=(data.mean, data.std))
    model.load_state_dict(RunFolder(bench.out / spec.key).load_tensors("model.safetensors"))
    return logits(model.to(bench.device), bench.train.images, spec.train)


def _words(hard: Hard, kept: int, total: int, epochs: int, of: int) -> str:
    how = "of every class" if hard.per_class else "over all classes"
    return (
        f"{kept} of {total} training images, the hardest {how} by EL2N after {epochs} of {of} epochs, "
        f"mean of {hard.models} networks"
    )
