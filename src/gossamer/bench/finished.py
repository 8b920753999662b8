"""What a finished run left behind, read back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from gossamer.bench import traced
from gossamer.bench.lab import read_masks
from gossamer.bench.place import Bench
from gossamer.bench.run import run
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.subject import WEIGHTS, loaded, network_of
from gossamer.core.masks import Masks


@dataclass(frozen=True)
class Finished:
    """A run that is done.

    Args:
        spec: what was run.
        bench: where.
    """

    spec: RunSpec
    bench: Bench

    @property
    def folder(self) -> RunFolder:
        """Its files."""
        return RunFolder(self.bench.out / self.spec.key)

    @cached_property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``."""
        return run(self.spec, self.bench)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The trained state of the network."""
        return self.folder.load_tensors(WEIGHTS)

    @cached_property
    def masks(self) -> Masks:
        """Who lives at the end; empty of a dense run."""
        return read_masks(self.folder, self.weights)

    def model(self) -> nn.Module:
        """The trained network, on the bench's device, in evaluation mode."""
        spec, data = self.spec, self.bench.data
        narrow = {"sparsity": spec.sparsity, "settings": spec.settings} if spec.recipe == "small_dense" else None
        model = loaded(network_of(spec.model, data, narrow), spec.model, data, self.folder.path / WEIGHTS)
        return model.to(self.bench.device).eval()

    def table(self, name: str) -> list[dict[str, Any]]:
        """A table of its trace, ``flow``, ``updates`` or ``masks``; empty without one."""
        return traced.table(self.folder, name)

    def snapshots(self) -> list[int]:
        """The mask updates around which weights and masks were kept."""
        return traced.snapshots(self.folder)

    def snapshot(self, step: int, moment: str) -> tuple[dict[str, Tensor], Masks]:
        """Weights and masks ``"before"`` or ``"after"`` the mask update of a step."""
        return traced.snapshot(self.folder, step, moment)
