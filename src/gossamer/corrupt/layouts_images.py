"""Folders of image files: what is in them, and one image decoded."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import DataError

SUFFIXES = (".jpeg", ".jpg", ".png")


def subfolders(path: Path) -> list[Path]:
    """Folders in a folder, by name, hidden ones left out."""
    with os.scandir(path) as entries:
        return sorted(Path(one.path) for one in entries if not one.name.startswith(".") and one.is_dir())


def images_of(place: Path) -> list[Path]:
    """Image files of all classes of a severity."""
    return [
        file
        for folder in subfolders(place)
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    ]


def is_number(name: str) -> bool:
    """Whether a folder is named like a severity, such as ``3`` or ``2.35``."""
    return name.replace(".", "", 1).isdigit()


def decoded(file: Path, shape: tuple[int, int, int] | None = None) -> Tensor:
    """One image.

    Args:
        file: JPEG or PNG.
        shape: (C, H, W) that it must have; grey images among coloured ones get three equal channels.

    Returns:
        uint8 (C, H, W).

    Raises:
        DataError: it cannot be read, or has another shape.
    """
    from PIL import Image  # here: importing gossamer.corrupt must stay quick

    try:
        with Image.open(file) as image:
            grey = image.mode == "L" and (shape is None or shape[0] == 1)
            pixels = np.array(image.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: cannot be read as an image ({error}); extract or write the set again") from None
    tensor = torch.from_numpy(pixels[None] if grey else pixels.transpose(2, 0, 1).copy())
    if shape and tensor.shape != shape:
        raise DataError(
            f"{file}: expected (channels, height, width) {shape} as of the set's first image, got "
            f"{tuple(tensor.shape)}; resize or crop the images of a set to one size"
        )
    return tensor


def shape_of(file: Path) -> tuple[int, int, int]:
    """Channels, height and width of an image file."""
    channels, height, width = decoded(file).shape
    return channels, height, width
