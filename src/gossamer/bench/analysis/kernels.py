"""Where the zeros of a run lie: live weights of each kernel, and how they crowd on few channels (P2, Figure 5)."""

from pathlib import Path
from typing import Any

from gossamer.analyze.channels.kernels import space, space_rows
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.found import Found, NotHereError
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.named import CONVOLUTIONS
from gossamer.figure.heat import Matrix, heat

NONE = -1  # where groups leave no kernel


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """The masks alone decide."""
    return {}


def find(run: Opened, asked: Asked, advance: Advance) -> Found:
    """Live weights of each kernel and each channel.

    Args:
        run: whose.
        asked: nothing of it is used.
        advance: told what has been done.

    Returns:
        Tables ``layers`` and ``channels``; pictures of the convolutions' kernels, rows are inputs.

    Raises:
        NotHereError: there is no convolution.
    """
    weights = {f"{name}.weight" for name, module in run.model.named_modules() if isinstance(module, CONVOLUTIONS)}
    if not weights:
        raise NotHereError(
            f"expected a network with convolutions to count their kernels, got {run.spec.model}, which has none"
        )
    found = space(run.model, run.alive)
    channels = [
        {"layer": name, "side": side, "channel": channel, "live": live}
        for name, layer in found.items()
        for side, counts in (("input", layer.per_input), ("output", layer.per_output))
        for channel, live in enumerate(counts.tolist())
    ]
    pictures = {
        name: {"kernel": layer.kernel, "counts": layer.matrix().tolist()}
        for name, layer in found.items()
        if name in weights
    }
    return Found({"layers": space_rows(found), "channels": channels}, pictures=pictures)


def draw(found: Found, title: str, stem: Path) -> list[Path]:
    """A picture a convolution: its kernels by input and output channel.

    Args:
        found: what ``find`` gave.
        title: of the run.
        stem: path without ending.

    Returns:
        The files.
    """
    densities = {row["layer"]: row["density"] for row in found.tables["layers"]}
    largest = max(layer["kernel"] for layer in found.pictures.values())
    alike = all(layer["kernel"] == largest for layer in found.pictures.values())
    matrices = [
        Matrix(
            values=[[_shown(count, 1 if alike else layer["kernel"]) for count in row] for row in layer["counts"]],
            title=f"{name.removesuffix('.weight')}\ndensity {densities[name]:.3g}",
        )
        for name, layer in found.pictures.items()
    ]
    bar = f"live weights of a kernel, of {largest}" if alike else "share of a kernel's weights that live"
    high = float(largest) if alike else 1.0
    title = f"{title}\nlive weights of each kernel"
    return heat(matrices, title, stem, x="output channel", y="input channel", bar=bar, low=0.0, high=high)


def _shown(count: int, scale: int) -> float:
    return float("nan") if count == NONE else count / scale
