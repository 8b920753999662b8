"""What a recipe may ask of the run it belongs to: the network, some images, and the runs that it starts from."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.bench.data import batches
from gossamer.bench.models import build
from gossamer.bench.place import Bench
from gossamer.bench.recipes import weights_seed
from gossamer.bench.samples import as_input, steps_per_epoch
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.training import redraw
from gossamer.core import masks as mask_ops
from gossamer.core.errors import DataError
from gossamer.core.masks import Masks

Train = Callable[[RunSpec], Mapping[str, Any]]


def no_training(spec: RunSpec) -> Mapping[str, Any]:
    """For a lab whose other runs are finished.

    Args:
        spec: of a run that would have to be trained.

    Raises:
        DataError: always.
    """
    raise DataError(f"expected the run {spec.key} to be finished, got none; put it back, or train it again")


def dense_of(spec: RunSpec, stop: int | None = None) -> RunSpec:
    """The dense run that tickets of a seed start from, the same for all of them.

    Args:
        spec: of the ticket.
        stop: where it ends early.

    Returns:
        Its description.
    """
    return replace(spec, recipe="dense", sparsity=0.0, settings={}, trace=None, stop=stop)


class RunLab:
    """The lab of one run.

    Args:
        spec: of the run.
        bench: where it happens.
        train: gives the result of another run, trained now if it is not there yet.

    Attributes:
        inherited: FLOPs of the run that masks were taken from.
    """

    def __init__(self, spec: RunSpec, bench: Bench, train: Train = no_training) -> None:
        self.spec, self.bench, self._train = spec, bench, train
        self.inherited = 0.0

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.spec.train.epochs * steps_per_epoch(len(self.bench.train), self.spec.train)

    def sizes(self) -> dict[str, Any]:
        """Keywords of ``build``."""
        data = self.bench.data
        sizes = {"num_classes": data.num_classes, "image_size": data.image_size, "channels": data.channels}
        # without normalisation the layer stays, and does nothing: weights on the disk have the same names
        identity = ([0.0] * data.channels, [1.0] * data.channels)
        return {**sizes, "normalize": (data.mean, data.std) if self.spec.train.normalize else identity}

    def fresh(self, **settings: Any) -> nn.Module:
        """The network as the seed draws it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(weights_seed(self.spec))
            return build(self.spec.model, **self.sizes(), **settings).to(self.bench.device)

    def initial(self) -> nn.Module:
        """What the dense run of this seed starts from: the network, redrawn if the settings say so."""
        model = self.fresh()
        if self.spec.train.initial != "model":
            redraw(model, None, self.spec.train, weights_seed(self.spec))
        return model

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """The first epoch's first batches, without augmentation."""
        samples, train = self.bench.train, self.spec.train
        drawn = batches(len(samples), train.batch_size, seed=self.spec.seed, epoch=0)
        chosen = [indices.to(self.bench.device) for indices, _ in zip(drawn, range(10), strict=False)]
        return [(as_input(samples.images[i], train), samples.labels[i]) for i in chosen]

    def dense(self, stop: int | None = None) -> Mapping[str, Any]:
        """The shared dense run, trained now if it is not there yet."""
        spec = dense_of(self.spec, stop)
        self._train(spec)
        other = RunFolder(self.bench.out / spec.key)
        trained: dict[str, Any] = {"model": other.load_tensors("model.safetensors")}
        if stop is not None:
            trained["optimizer"] = _optimizer_of(other)
        return trained

    def origin(self) -> Mapping[str, Any]:
        """The run that masks are taken from, trained now if it is not there yet."""
        assert self.spec.origin is not None
        spec = self.spec.origin.run
        self.inherited = float(self._train(spec)["training_flops"])
        other = RunFolder(self.bench.out / spec.key)
        final = other.load_tensors("model.safetensors")
        return {"final": final, "initial": initial_weights(spec, self.bench), "masks": read_masks(other, final)}


def initial_weights(spec: RunSpec, bench: Bench) -> dict[str, Tensor]:
    """The state that a run's network begins with, before any masks.

    Args:
        spec: the run.
        bench: with its data.

    Returns:
        Tensors by name.
    """
    return dict(RunLab(spec, bench).initial().state_dict())


def read_masks(folder: RunFolder, model: Mapping[str, Tensor], name: str = "masks.safetensors") -> Masks:
    """The masks in a run's folder.

    Args:
        folder: of the run.
        model: its weights, for their shapes.
        name: of the file.

    Returns:
        Masks by parameter name; none of a dense run.
    """
    bits = folder.load_tensors(name)
    return mask_ops.unpack(bits, {each: tuple(model[each].shape) for each in bits})


def _optimizer_of(early: RunFolder) -> Any:
    state = early.load_state()
    if state is None:
        raise DataError(
            f"expected the state to rewind to in {early.path / 'state.pt'}, got no such file; remove the folder "
            f"{early.path} and rerun: it is trained again"
        )
    return state["training"]["optimizer"]
