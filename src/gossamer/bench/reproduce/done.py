"""The finished runs of an experiment, and what their networks answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gossamer.bench.evaluate import logits
from gossamer.bench.finished import Finished
from gossamer.bench.place import Bench
from gossamer.bench.reproduce.variants import Experiment
from gossamer.bench.samples import as_input


@dataclass(frozen=True)
class Done:
    """The finished runs of an experiment.

    Args:
        plan: the experiment.
        bench: where they are.
        runs: by variant, one a seed.
    """

    plan: Experiment
    bench: Bench
    runs: Mapping[str, list[Finished]]
    _outputs: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    @property
    def pruned(self) -> Finished:
        """The run whose masks all others take."""
        return self.runs["pruned"][0]

    def outputs(self, variant: str) -> Tensor:
        """What the networks of a variant answer to the test set; asked once.

        Args:
            variant: its name.

        Returns:
            Logits, float32 (K, N, C), a network a seed.
        """
        if variant not in self._outputs:
            images = self.bench.test.images
            found = [logits(run.model(), images, run.spec.train) for run in self.runs[variant]]
            self._outputs[variant] = torch.stack(found).clone()  # a clone outside of inference mode may be worked with
        return self._outputs[variant]

    def training_images(self, count: int | None = None) -> tuple[Tensor, Tensor]:
        """The first training images in [0, 1] with their labels; None is all."""
        samples = self.bench.train
        return as_input(samples.images[:count], self.pruned.spec.train), samples.labels[:count]

    def test_images(self) -> tuple[Tensor, Tensor]:
        """The test images in [0, 1] with their labels."""
        samples = self.bench.test
        return as_input(samples.images, self.pruned.spec.train), samples.labels
