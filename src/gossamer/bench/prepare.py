"""The data a run sees: corrupted, a random share of it, the hardest of it, in this order."""

from dataclasses import dataclass, replace
from typing import Any

from gossamer.bench.data import subset
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.place import Bench
from gossamer.bench.score import Scored, choose
from gossamer.bench.spec import RunSpec
from gossamer.core.errors import SettingError
from gossamer.corrupt import CORRUPTIONS, FAMILIES, corrupt_training


@dataclass(frozen=True)
class Prepared:
    """The data of a run, and how it came about.

    Args:
        bench: with the images that are trained on and tested on.
        words: what was done to the data.
        pool: the bench whose training images the hardest were chosen from.
        scored: their difficulty, None where all are trained on.
    """

    bench: Bench
    words: str
    pool: Bench
    scored: Scored | None


def prepare(spec: RunSpec, bench: Bench) -> Prepared:
    """The bench with the images that a run trains on and is tested on.

    Args:
        spec: what the run is; runs that differ in method, sparsity or seed alone get the same images.
        bench: with the data set as it was loaded.

    Returns:
        The bench, and what was done to the data, in words.
    """
    words = []
    if spec.corrupted is not None:
        family = family_for(spec.corrupted, bench.data.image_size)
        bench = replace(bench, data=corrupted(bench.data, spec.corrupted, family), clean=bench.data)
        words.append(_told(spec.corrupted, family))
    if spec.keep < 1:
        bench = replace(bench, chosen=subset(len(bench.data.train_labels), spec.keep))
        words.append(f"a random {100 * spec.keep:g} % of the training set, {len(bench.train)} images")
    pool, hardest = bench, choose(spec, bench)
    if hardest is not None:
        chosen = hardest.indices if bench.chosen is None else bench.chosen[hardest.indices]
        bench = replace(bench, chosen=chosen)
        words.append(hardest.provenance)
    if bench.chosen is None:
        words.append(f"all {len(bench.train)} training images")
    if spec.adversarial is not None:
        words.append(f"trained under {spec.adversarial.train or 'no attack'}, tested under {spec.adversarial.tested}")
    return Prepared(bench, "; ".join(words), pool, None if hardest is None else hardest.scored)


def corrupted(data: Dataset, how: Corrupted, family: str) -> Dataset:
    """Both splits corrupted, each image by one kind; mean and standard deviation stay those of the clean set.

    Args:
        data: the clean set.
        how: kinds, severity and seed.
        family: whose constants.

    Returns:
        The corrupted set.

    Raises:
        SettingError: a kind that changes colours, on grey images.
    """
    needing = [kind for kind in how.kinds if CORRUPTIONS[kind].colour]
    if data.channels == 1 and needing:
        raise SettingError(
            f"expected kinds that work on grey images, got {', '.join(needing)}, which change colours; leave them out"
        )
    settings: dict[str, Any] = {"kinds": how.kinds, "severity": how.severity, "seed": how.seed}
    settings |= {"family": family, "frost": how.frost}
    train, _ = corrupt_training(data.train_images, part="train", **settings)
    test, _ = corrupt_training(data.test_images, part="test", **settings)
    return replace(data, train_images=train, test_images=test)


def family_for(how: Corrupted, size: int) -> str:
    """The family that is asked for, or the one published for the nearest size."""
    return how.family or min(FAMILIES, key=lambda name: abs(FAMILIES[name] - size))


def _told(how: Corrupted, family: str) -> str:
    kinds = ", ".join(how.kinds) if len(how.kinds) <= 4 else f"{len(how.kinds)} kinds"
    one = "" if len(how.kinds) == 1 else ", one of them each image"
    frost = "" if how.resolved_frost() is None else f"; frost: {how.resolved_frost()}"
    return f"train and test images corrupted by {kinds} at severity {how.severity} ({family}{one}{frost})"
