"""The moment a run began: its first weights and masks, drawn again."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from gossamer.bench.analysis.opened import Opened, Untrained
from gossamer.bench.lab import RunLab, dense_of
from gossamer.bench.run import beginning
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import MissingError
from gossamer.core.masks import Masks

PRUNED = ("lth", "omp", "omp_erk")  # recipes that begin with what the dense run of their seed became


@dataclass(frozen=True, eq=False)
class Begun:
    """A network before its first step, of its last round if it was trained in several.

    Args:
        model: the network.
        masks: who lives; empty of a dense run.
    """

    model: nn.Module
    masks: Masks


def begun(run: Opened) -> Begun:
    """The first weights and masks of a run, as its seed draws them.

    Args:
        run: the run.

    Returns:
        The network, on the run's device.

    Raises:
        MissingError: it began from another run, which is not beside it any more.
    """
    spec, bench = run.spec, run.bench
    for place in lacking(run):
        raise MissingError(
            f"expected the run that this one began from in {place}, got no finished run there; put it back beside this "
            "one"
        )
    with warnings.catch_warnings():  # told when it was trained
        warnings.simplefilter("ignore")
        training = beginning(spec, replace(bench, watch=Untrained()))
    return Begun(training.model.eval(), {} if training.sparsifier is None else training.sparsifier.masks)


def lacking(run: Opened) -> list[Path]:
    """The folders of runs that this one began from and that are not there.

    Args:
        run: the run.

    Returns:
        Their folders.
    """
    places = [run.bench.out / parent.key for parent in _parents(run.spec)]
    return [place for place in places if RunFolder(place).result() is None]


def drawn(run: Opened) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """What methods before the first step look at: the network as the run's seed draws it, and some batches.

    Args:
        run: the run.

    Returns:
        The dense network and batches of training images in [0, 1] with their labels.
    """
    lab = RunLab(run.spec, run.bench)
    return lab.fresh(), lab.batches()


def _parents(spec: RunSpec) -> list[RunSpec]:
    """The runs that a run began from."""
    if spec.origin is not None:
        return [spec.origin.run]
    if spec.recipe in PRUNED:
        return [dense_of(spec)]
    return []
