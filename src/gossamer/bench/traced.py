"""What a trace left in a run's folder, read back."""

import json
import re
from typing import Any

from torch import Tensor

from gossamer.bench.store import RunFolder
from gossamer.bench.tracer import MASKS, snapshot_name
from gossamer.core import masks as mask_ops
from gossamer.core.errors import DataError
from gossamer.core.masks import Masks


def table(folder: RunFolder, name: str) -> list[dict[str, Any]]:
    """A table that was measured along a training; empty without one.

    Args:
        folder: of the run.
        name: ``flow``, ``updates`` or ``masks``.

    Returns:
        Its rows.

    Raises:
        DataError: the file is damaged.
    """
    file = folder.path / f"{name}.jsonl"
    try:
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    except ValueError as error:
        raise DataError(
            f"expected a line of JSON a measurement in {file}, got something else ({error}); remove the folder "
            f"{folder.path} and rerun"
        ) from None


def snapshots(folder: RunFolder) -> list[int]:
    """The steps of the mask updates around which weights and masks were kept, ascending.

    Args:
        folder: of the run.

    Returns:
        Those of which both moments are there.
    """
    names = [path.name for path in folder.path.glob("snapshot-*-after.safetensors")]
    steps = [int(re.sub(r"\D", "", name)) for name in names]
    return sorted(step for step in steps if (folder.path / snapshot_name(step, "before")).exists())


def snapshot(folder: RunFolder, step: int, moment: str) -> tuple[dict[str, Tensor], Masks]:
    """Weights and masks around the mask update of a step.

    Args:
        folder: of the run.
        step: of the update.
        moment: ``"before"`` or ``"after"`` the masks changed.

    Returns:
        A state of the model, on the CPU, and its masks.
    """
    stored = folder.load_tensors(snapshot_name(step, moment))
    weights = {name: tensor for name, tensor in stored.items() if not name.startswith(MASKS)}
    bits = {name.removeprefix(MASKS): tensor for name, tensor in stored.items() if name not in weights}
    return weights, mask_ops.unpack(bits, {name: tuple(weights[name].shape) for name in bits})
