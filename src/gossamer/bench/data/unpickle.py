"""Reading pickles of numbers without executing anything that they ask for.

A pickle names functions to call. Here no name is ever looked up: the five that the CIFAR files use are answered by
the stand-ins below, every other one is refused.
"""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gossamer.core.errors import DataError


class Bytes8:
    """Stands for ``numpy.dtype`` and takes unsigned bytes only."""

    def __init__(self, code: object, align: object = None, copy: object = None) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"array of type {code!r}; expected 'u1'")

    def __setstate__(self, state: object) -> None:
        """Ignore alignment and byte order: a byte has neither."""


class Array:
    """Stands for ``numpy.ndarray``: takes a shape and bytes."""

    values: NDArray[np.uint8]

    def __setstate__(self, state: tuple[int, tuple[int, ...], Bytes8, bool, bytes | str]) -> None:
        """Check and keep what numpy's arrays store: version, shape, type, order, content."""
        _, shape, kind, column_major, content = state
        if not isinstance(kind, Bytes8):
            raise pickle.UnpicklingError("array without a type")
        content = content.encode("latin1") if isinstance(content, str) else content
        self.values = np.frombuffer(content, np.uint8).reshape(shape, order="F" if column_major else "C")


def make_array(kind: object, shape: object, code: object) -> Array:
    """Stands for numpy's ``_reconstruct``, which makes an empty array; what fills it comes by ``__setstate__``."""
    return Array()


def encode(text: str, codec: str) -> bytes:
    """Stands for ``_codecs.encode``, by which Python 3 stores bytes in old protocols."""
    if codec != "latin1":
        raise pickle.UnpicklingError(f"codec {codec!r}; expected 'latin1'")
    return text.encode("latin1")


STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): Bytes8,
    ("numpy", "ndarray"): Array,
    ("numpy.core.multiarray", "_reconstruct"): make_array,
    ("numpy._core.multiarray", "_reconstruct"): make_array,
    ("_codecs", "encode"): encode,
}


class Reader(pickle.Unpickler):
    """An unpickler that knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; refuses every other name."""
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which image data does not need") from None


def read_pickle(content: bytes, source: str) -> dict[str, Any]:
    """Read a pickled dictionary of numbers, strings, lists and unsigned-byte arrays.

    Args:
        content: the pickle, of Python 2 or 3.
        source: where it comes from, for the message.

    Returns:
        The dictionary with text keys; arrays as numpy uint8.

    Raises:
        DataError: if the pickle asks for anything else, is cut short, or holds no dictionary.
    """
    try:
        value = Reader(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise nearly anything; none of it is a defect of ours
        raise DataError(
            f"{source}: refused as a data pickle ({type(error).__name__}: {error}); "
            "it is cut short, damaged or not the official file, and nothing in it was executed"
        ) from None
    if not isinstance(value, dict):
        raise DataError(f"{source}: expected a pickled dictionary, got {type(value).__name__}")
    return {_text(key): entry.values if isinstance(entry, Array) else entry for key, entry in value.items()}


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
