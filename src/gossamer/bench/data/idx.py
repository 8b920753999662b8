"""The idx format of MNIST and Fashion-MNIST: big-endian counts, then bytes.

Format: http://yann.lecun.com/exdb/mnist, section "FILE FORMATS FOR THE MNIST DATABASE".
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gossamer.bench.data.dataset import check_split
from gossamer.core.errors import DataError

IMAGES_MAGIC = 2051  # unsigned bytes in three dimensions
LABELS_MAGIC = 2049  # unsigned bytes in one dimension


def read_idx(path: Path, magic: int) -> Tensor:
    """Read one idx file of unsigned bytes, plain or gzip-compressed.

    Args:
        path: the file.
        magic: the number it must begin with; its last byte is the number of dimensions.

    Returns:
        uint8, of the shape that the header states.

    Raises:
        DataError: if the file is cut short, damaged, longer than stated, or of another format.
    """
    content = _content(path)
    header = struct.calcsize(f">{1 + magic % 256}I")
    if len(content) < header:
        raise DataError(f"{path}: expected an idx header of {header} bytes, got {len(content)}; get the file again")
    found, *shape = struct.unpack(f">{1 + magic % 256}I", content[:header])
    if found != magic:
        raise DataError(
            f"{path}: expected the magic number {magic}, got {found}; this is not the idx file that its name says"
        )
    size = header + math.prod(shape)
    if len(content) != size:
        raise DataError(
            f"{path}: expected {size} bytes for {' x '.join(map(str, shape))}, got {len(content)}; "
            "it is cut short or damaged: get the file again"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).copy()).view(shape)


def _content(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be decompressed ({error}); it is cut short or damaged: get it again") from None


def read_split(images: Path, labels: Path, num_classes: int) -> tuple[Tensor, Tensor]:
    """Read and check one split.

    Args:
        images: idx file of (N, H, W).
        labels: idx file of (N,).
        num_classes: the number of classes.

    Returns:
        Images uint8 (N, 1, H, W) and labels int64 (N,).
    """
    pixels = read_idx(images, IMAGES_MAGIC).unsqueeze(1)
    classes = read_idx(labels, LABELS_MAGIC).long()
    check_split(pixels, classes, num_classes, f"{images} and {labels.name}")
    return pixels, classes


def read_splits(paths: Sequence[Path], num_classes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Read train and test from four paths: train images and labels, test images and labels."""
    train_images, train_labels, test_images, test_labels = paths
    return (*read_split(train_images, train_labels, num_classes), *read_split(test_images, test_labels, num_classes))
