"""P3's figure 1: how much of the inputs' variation reaches the outputs of an untrained network."""

from typing import Any

import torch
from torch import Tensor, nn

from gossamer.analyze.flow.signal import signal_propagation
from gossamer.bench.data import seeded
from gossamer.bench.lab import initial_weights
from gossamer.bench.models import build
from gossamer.bench.reproduce.done import Done

COUNT = 1000
CHANNELS = 3  # the authors' notebook, MnistProp.ipynb, feeds noise of three channels and has a ReLU on the outputs
SEEDS = (0, 1, 2, 3, 4)


def signal(done: Done) -> list[dict[str, Any]]:
    """The standard deviation of the outputs before the softmax, by sparsity and initialisation.

    Args:
        done: the experiment.

    Returns:
        A row a point: ``inputs``, ``"images"`` or ``"noise"`` (as in the authors' notebook), the columns of
        ``gossamer.analyze.Propagation.rows``, and the output's deviation at each of the ``draws``.
    """
    images, _ = done.training_images(COUNT)
    model = done.pruned.model()
    model.load_state_dict(initial_weights(done.pruned.spec, done.bench))  # biases at zero
    side = done.bench.data.image_size
    noise = torch.randn(COUNT, CHANNELS, side, side, generator=seeded(7))
    noisy = nn.Sequential(_network(done, side), nn.ReLU())
    return [*_rows("images", model, images), *_rows("noise", noisy, noise)]


def _network(done: Done, side: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        return build(done.plan.model, num_classes=done.bench.data.num_classes, image_size=side, channels=CHANNELS)


def _rows(name: str, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
    found = signal_propagation(model, inputs, seeds=SEEDS)
    draws: dict[tuple[str, float], list[float]] = {}
    for one in found.measures:
        draws.setdefault((one.start, one.sparsity), []).append(one.output)
    return [{"inputs": name, **row, "draws": draws[row["start"], row["sparsity"]]} for row in found.rows()]


def measured(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[float]]:
    """The deviations, of noise as in the paper, at the sparsities that its figure was read at.

    Args:
        rows: of ``signal``.

    Returns:
        One number a draw by initialisation and quantity.
    """
    told = [row for row in rows if row["inputs"] == "noise"]
    return {(row["start"], f"signal@{row['sparsity']:g}"): row["draws"] for row in told}
