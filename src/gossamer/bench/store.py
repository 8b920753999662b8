"""The folder of a run: nothing half-written is ever read, nothing finished is ever lost.

``spec.json`` what was asked · ``env.json`` where · ``metrics.jsonl`` one line an epoch · ``state.pt`` to continue ·
``model.safetensors`` and ``masks.safetensors`` · ``timing.json`` seconds · ``result.json`` last: it is done.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save
from torch import Tensor

from gossamer.core.errors import DataError, StateError


@dataclass(frozen=True)
class RunFolder:
    """One run's files.

    Args:
        path: the folder; made when first written to.

    Example:
        >>> RunFolder(Path("runs/none")).result() is None
        True
    """

    path: Path

    def result(self) -> dict[str, Any] | None:
        """The result of a finished run, None if it is not finished."""
        found = self.read_json("result.json")
        if found is not None and not isinstance(found, dict):
            raise self._damaged("a result", "result.json", f"a {type(found).__name__}")
        return found

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run: no other process can train it meanwhile; the lock dies with the process.

        Raises:
            StateError: another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise StateError(
                f"expected {self.path} to be free, but another process is training this run; wait for it, "
                "or choose another folder with --out"
            ) from None

    def read_json(self, name: str) -> Any:
        """A JSON file's content, None if it is not there.

        Args:
            name: of the file.

        Returns:
            The content or None.

        Raises:
            DataError: it is not JSON.
        """
        file = self.path / name
        if not file.exists():
            return None
        try:
            return json.loads(file.read_bytes())
        except ValueError as error:  # not JSON, or not even text
            raise self._damaged("JSON", name, f"something else ({error})") from None

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file, whole or not at all."""
        self.write(name, json.dumps(content, indent=1).encode() + b"\n")

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write the checkpoint, whole or not at all."""
        buffer = BytesIO()  # through memory: torch's own writer reports a full disk as an internal error
        torch.save(dict(state), buffer)
        self.write("state.pt", buffer.getvalue())

    def load_state(self) -> dict[str, Any] | None:
        """The checkpoint, None if there is none; loading never executes code.

        Returns:
            What ``save_state`` was given, or None.

        Raises:
            DataError: the file is damaged or holds more than numbers, strings and tensors.
        """
        file = self.path / "state.pt"
        if not file.exists():
            return None
        try:
            state = torch.load(file, weights_only=True, map_location="cpu")
        except Exception as error:  # torch raises many kinds, all of which mean the same here
            raise self._no_checkpoint(f"something else ({type(error).__name__})") from None
        if not isinstance(state, dict):
            raise self._no_checkpoint(f"a {type(state).__name__}")
        return state

    def save_tensors(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write tensors as safetensors, whole or not at all."""
        flat = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        self.write(name, save(flat))

    def load_tensors(self, name: str) -> dict[str, Tensor]:
        """Tensors that ``save_tensors`` wrote.

        Args:
            name: of the file.

        Returns:
            The tensors by name.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            return load_file(self.path / name)
        except Exception as error:  # safetensors raises its own kinds; any of them means the file is no good
            raise DataError(
                f"expected tensors in {self.path / name}, got {type(error).__name__}; remove the folder "
                f"{self.path} and rerun"
            ) from None

    def clean(self) -> None:
        """Remove what a process that was killed while writing has left."""
        for aside in self.path.glob(".*.part"):
            aside.unlink()

    def _no_checkpoint(self, got: str) -> DataError:
        path = self.path / "state.pt"
        return DataError(f"expected a checkpoint in {path}, got {got}; move it away and rerun: the run starts again")

    def _damaged(self, expected: str, name: str, got: str) -> DataError:
        return DataError(f"expected {expected} in {self.path / name}, got {got}; move it away and rerun")

    def forget_state(self) -> None:
        """Remove the checkpoint of a finished run."""
        (self.path / "state.pt").unlink(missing_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """Write a file aside, flush it to the disk, then rename: a reader sees the old file or the new one."""
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self.path / f".{name}.{os.getpid()}.part"  # two commands may write the same file
        try:
            with open(aside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self.path / name)
        except OSError as error:  # writing names no file by itself
            raise OSError(error.errno, error.strerror, str(self.path / name)) from None
        finally:
            aside.unlink(missing_ok=True)
