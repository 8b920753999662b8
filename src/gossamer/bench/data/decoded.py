"""Decoded image archives, kept in the user's cache folder: 60,000 JPEG files take 10 s to decode, their copy 0.2 s."""

import hashlib
import os
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import __version__ as pillow_version
from PIL import features
from torch import Tensor

from gossamer.bench.data.images import read_images
from gossamer.bench.data.places import cache_folder

FORMAT = 1  # raise it when the arrays or their order change
TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


def read_archive(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """`read_images` of an archive, from the copy of an earlier call where there is one.

    Args:
        path: the archive.

    Returns:
        As `read_images`.
    """
    copy = copy_path(path)
    with suppress(OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):  # absent or damaged: decode again
        return _load(copy)
    content = read_images(path)
    with suppress(OSError):  # a full or read-only disk costs the copy, not the data
        _save(copy, *content)
    return content


def copy_path(path: Path) -> Path:
    """Where the copy of an archive lies: keyed by its name, size and time, and by the decoder, whose pixels may differ.

    Args:
        path: the archive.

    Returns:
        A path under the cache folder.
    """
    stat = path.stat()
    decoder = (pillow_version, features.version("jpg"), FORMAT)
    key = hashlib.sha256(repr((path.name, stat.st_size, stat.st_mtime_ns, decoder)).encode()).hexdigest()
    return cache_folder() / "decoded" / f"{path.name.split('.')[0]}-{key[:16]}.npz"


def _load(copy: Path) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    # opened here because numpy leaves the file open when it is damaged
    with copy.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        tensors = {name: torch.from_numpy(arrays[name]) for name in TENSORS}
        return tensors, tuple(arrays["classes"].tolist()), str(arrays["suffix"])


def _save(copy: Path, tensors: dict[str, Tensor], classes: tuple[str, ...], suffix: str) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=copy.parent, suffix=".aside")
    try:
        with os.fdopen(handle, "wb") as file:
            arrays: dict[str, Any] = {name: tensors[name].numpy() for name in TENSORS}
            np.savez(file, classes=np.array(classes), suffix=np.array(suffix), **arrays)
        Path(aside).replace(copy)
    finally:
        Path(aside).unlink(missing_ok=True)
