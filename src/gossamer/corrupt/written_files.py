"""How the parts of a corrupted set get to the disk: aside first, under their names only when they are whole."""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from torch import Tensor

from gossamer.corrupt.layouts_arrays import LABELS

Pictures = Iterable[tuple[range, Tensor]]  # numbers of images, and they: uint8 (B, C, H, W)


class Writer(Protocol):
    """What the layouts have in common."""

    @property
    def classes(self) -> list[str] | None:
        """Names of class folders, if there are any."""

    def begin(self) -> None:
        """Write what does not depend on kind and severity."""

    def has(self, kind: str, severity: int) -> bool:
        """Whether this part is finished."""

    def write(self, kind: str, severity: int, pictures: Pictures) -> None:
        """Write a part; the parts of a kind come in the order of severities."""


@dataclass(frozen=True)
class ArrayWriter:
    """``<kind>.npy``: grows aside, a severity at a time, and is renamed when it has them all.

    Args:
        path: the set's folder.
        severities: in order.
        labels: int64 (N,).
        shape: of an image, (H, W, C).
    """

    path: Path
    severities: tuple[int, ...]
    labels: Tensor
    shape: tuple[int, int, int]
    classes: list[str] | None = None

    def begin(self) -> None:
        """Write the labels, once for each severity, as CIFAR-10-C has them; clear what was killed in its last step."""
        for note in self.path.glob("*.npy.done"):
            if note.with_suffix("").exists():
                note.unlink()
        buffer = BytesIO()
        np.save(buffer, np.tile(self.labels.numpy(), len(self.severities)), allow_pickle=False)
        write_whole(self.path / LABELS, buffer.getvalue())

    def has(self, kind: str, severity: int) -> bool:
        """Whether this part is finished."""
        return (self.path / f"{kind}.npy").exists() or self.severities.index(severity) < self._done(kind)

    def write(self, kind: str, severity: int, pictures: Pictures) -> None:
        """Append a severity; what an interrupted call had begun of it is cut off first."""
        number, header = self.severities.index(severity), self._header()
        aside = self.path / f"{kind}.npy.part"
        with open(aside, "r+b" if number else "wb") as file:
            file.truncate(len(header) + number * len(self.labels) * int(np.prod(self.shape)))
            file.write(header)
            file.seek(0, os.SEEK_END)
            for _, images in pictures:
                file.write(images.permute(0, 2, 3, 1).contiguous().cpu().numpy().data)
            _to_disk(file)
        write_json(self.path / f"{kind}.npy.done", number + 1)
        if number + 1 == len(self.severities):
            os.replace(aside, self.path / f"{kind}.npy")
            (self.path / f"{kind}.npy.done").unlink()

    def _done(self, kind: str) -> int:
        """Severities that are whole in the file aside: noted only after they have reached the disk."""
        note, aside = self.path / f"{kind}.npy.done", self.path / f"{kind}.npy.part"
        return int(json.loads(note.read_bytes())) if note.exists() and aside.exists() else 0

    def _header(self) -> bytes:
        buffer = BytesIO()
        shape = (len(self.severities) * len(self.labels), *self.shape)
        np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return buffer.getvalue()


@dataclass(frozen=True)
class FolderWriter:
    """``<kind>/<severity>/<class>/<number>.JPEG``: a severity grows aside and is renamed when it is whole.

    Args:
        path: the set's folder.
        labels: int64 (N,).
        names: of the class folders.
        quality: of JPEG files; None writes PNG files.
    """

    path: Path
    labels: Tensor
    names: tuple[str, ...]
    quality: int | None

    @property
    def classes(self) -> list[str]:
        """Names of the class folders."""
        return list(self.names)

    def begin(self) -> None:
        """Nothing is shared by the parts."""

    def has(self, kind: str, severity: int) -> bool:
        """Whether this part is finished."""
        return (self.path / kind / str(severity)).is_dir()

    def write(self, kind: str, severity: int, pictures: Pictures) -> None:
        """Write a severity anew; all classes get a folder, so that labels stay what they are when one is empty."""
        aside = self.path / kind / f".{severity}.part"
        shutil.rmtree(aside, ignore_errors=True)
        for name in self.names:
            (aside / name).mkdir(parents=True)
        for where, images in pictures:
            for number, image in zip(where, images, strict=True):
                self._save(image, aside / self.names[int(self.labels[number])], number)
        if hasattr(os, "sync"):
            os.sync()  # once for all files: the folder must not get its name before they have their content
        os.replace(aside, self.path / kind / str(severity))

    def _save(self, image: Tensor, folder: Path, number: int) -> None:
        from PIL import Image  # here: importing gossamer.corrupt must stay quick

        name = f"{number:0{max(8, len(str(len(self.labels) - 1)))}}"
        picture = Image.fromarray(image.permute(1, 2, 0).squeeze(-1).contiguous().cpu().numpy())
        if self.quality is None:
            picture.save(folder / f"{name}.png")
        else:
            picture.save(folder / f"{name}.JPEG", quality=self.quality, optimize=True)  # as the official scripts do


def write_json(file: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_whole(file, json.dumps(content, indent=1).encode() + b"\n")


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    aside = file.with_name(f".{file.name}.part")
    with open(aside, "wb") as stream:
        stream.write(content)
        _to_disk(stream)
    os.replace(aside, file)


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
