"""How a corrupted set on disk was made."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gossamer.core.errors import DataError
from gossamer.corrupt.recipe import Images, chunks

PROVENANCE = "set.json"  # only ``write_corrupted`` writes one


def read_provenance(path: Path) -> dict[str, Any] | None:
    """How a set was made, None if nothing says.

    Args:
        path: the set's folder.

    Returns:
        The content of ``set.json``.

    Raises:
        DataError: it is damaged.
    """
    file = path / PROVENANCE
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{file}: expected JSON, got something else ({error}); write the set anew") from None
    if not isinstance(content, dict) or not {"kinds", "severities", "classes", "quality"} <= set(content):
        raise DataError(f"{file}: expected kinds, severities, classes and quality of a set in it; write the set anew")
    return content


def fingerprint(images: Images, labels: Tensor) -> str:
    """What a set was made of: SHA-256 of the clean images' number, shape and levels, and of their labels.

    Args:
        images: (N, C, H, W), levels or floats in [0, 1], read by slices.
        labels: (N,).

    Returns:
        64 hexadecimal digits.

    Example:
        >>> fingerprint(torch.zeros(1, 1, 2, 2), torch.tensor([3]))[:8]
        '06d992ae'
    """
    digest = sha256(f"{len(images)} {tuple(images[0:1].shape[1:])}".encode())
    for _, part in chunks(images):
        digest.update(part.cpu().contiguous().numpy().data)
    digest.update(labels.cpu().to(torch.int64).contiguous().numpy().data)
    return digest.hexdigest()
