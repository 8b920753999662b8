"""Image folders: train/<class>/*.png|jpg|jpeg and test/<class>/..., on disk or inside a tar archive."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gossamer.bench.data.archive import members
from gossamer.core.errors import DataError, MissingError

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY, COLOUR = ("1", "L"), ("P", "RGB", "RGBA", "LA", "CMYK", "YCbCr")  # Pillow's 8-bit modes
Key = tuple[str, str, str]  # split, class, file name
Arrays = dict[str, NDArray[np.uint8]]


def read_images(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """Decode an image folder or an archive of one.

    Args:
        path: the folder, or a tar archive; what lies above ``train`` and ``test`` in it does not matter.

    Returns:
        ``train_images``, ``train_labels``, ``test_images``, ``test_labels`` (uint8 (N, C, H, W), int64 (N,); ordered
        by class, then file name; one channel if all files are grey, else three), the class names in
        alphabetical order, and the most frequent suffix.

    Raises:
        DataError: on a class without images, an unreadable image, one of another size, or differing classes.
    """
    decoded = {key: decode(content, f"{path}: {'/'.join(key)}") for key, content in _files(path)}
    classes = _classes(path, decoded)
    _check_sizes(path, decoded)
    tensors: dict[str, Tensor] = {}
    grey = all(image.ndim == 2 for image in decoded.values())
    for split in ("train", "test"):
        keys = sorted(key for key in decoded if key[0] == split)
        tensors[f"{split}_images"] = _stack([decoded[key] for key in keys], grey)
        tensors[f"{split}_labels"] = torch.tensor([classes.index(key[1]) for key in keys], dtype=torch.int64)
    suffixes = Counter(PurePosixPath(key[2]).suffix.lower() for key in decoded)
    return tensors, classes, suffixes.most_common(1)[0][0]


def decode(content: bytes, source: str) -> NDArray[np.uint8]:
    """Decode one 8-bit image.

    Args:
        content: the file's bytes.
        source: names the file in the message.

    Returns:
        (H, W) if the file is grey, else (H, W, 3); transparency is dropped.

    Raises:
        DataError: if the image cannot be read or has more than 8 bits per channel.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode = image.mode
            pixels = np.asarray(image.convert("L" if mode in GREY else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow's, by format
        raise DataError(f"{source}: cannot be read as an image ({error}); remove or replace the file") from None
    if mode not in GREY + COLOUR:
        raise DataError(f"{source}: expected 8 bits per channel, got Pillow mode {mode!r}; convert it to 8-bit RGB")
    return pixels


def _files(path: Path) -> Iterator[tuple[Key, bytes]]:
    found: Iterable[tuple[PurePosixPath, bytes]] = _on_disk(path) if path.is_dir() else members(path)
    parents: set[PurePosixPath] = set()
    for inside, content in found:
        if len(inside.parts) < 3 or inside.parts[-3] not in ("train", "test") or not _is_image(inside):
            continue
        parents.add(PurePosixPath(*inside.parts[:-3]))
        if len(parents) > 1:
            raise DataError(
                f"{path}: holds more than one train/test folder ({', '.join(sorted(map(str, parents)))}); "
                "expected one data set: pass its folder alone"
            )
        yield (inside.parts[-3], inside.parts[-2], inside.name), content


def _on_disk(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for split in ("train", "test"):
        if not (path / split).is_dir():
            raise MissingError(
                f"{path}: no folder {split!r}; expected train/<class>/*.png|jpg|jpeg and test/<class>/... in it"
            )
        for folder in sorted(folder for folder in (path / split).iterdir() if folder.is_dir()):
            yield from _of_class(path, folder)


def _of_class(path: Path, folder: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and _is_image(PurePosixPath(file.name)))
    if not files:
        raise DataError(f"{folder}: a class folder without any .png, .jpg or .jpeg; fill it or remove it")
    for file in files:
        yield PurePosixPath(file.relative_to(path).as_posix()), file.read_bytes()


def _is_image(inside: PurePosixPath) -> bool:
    return inside.suffix.lower() in SUFFIXES and not inside.name.startswith(".")  # "._x.jpg": macOS archives


def _classes(path: Path, decoded: Iterable[Key]) -> tuple[str, ...]:
    train, test = ({name for of, name, _ in decoded if of == split} for split in ("train", "test"))
    if not train or not test:
        raise DataError(
            f"{path}: found {len(train)} classes in train and {len(test)} in test; "
            "expected images as train/<class>/*.png|jpg|jpeg and test/<class>/..."
        )
    if train != test:
        raise DataError(
            f"{path}: train and test must have the same classes, but only one of them has "
            f"{', '.join(sorted(train ^ test))}; add the missing folders or remove these"
        )
    return tuple(sorted(train))


def _check_sizes(path: Path, decoded: Mapping[Key, NDArray[np.uint8]]) -> None:
    keys = sorted(decoded, key=lambda key: (key[0] != "train", key))
    height, width = decoded[keys[0]].shape[:2]
    for key in keys:
        if decoded[key].shape[:2] != (height, width):
            rows, columns = decoded[key].shape[:2]
            raise DataError(
                f"{path}: {'/'.join(key)} is {columns}x{rows}, but {'/'.join(keys[0])} is {width}x{height}; "
                "all images must have the same size: resize or crop them first"
            )


def _stack(images: list[NDArray[np.uint8]], grey: bool) -> Tensor:
    if grey:
        return torch.from_numpy(np.stack(images)).unsqueeze(1)
    coloured = [np.stack([image] * 3, axis=-1) if image.ndim == 2 else image for image in images]
    return torch.from_numpy(np.stack(coloured)).permute(0, 3, 1, 2).contiguous()
