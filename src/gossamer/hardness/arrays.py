"""What the scores take: torch's tensors, or numpy's arrays."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gossamer.core.errors import DataError

Array = Tensor | np.ndarray[Any, Any]


def as_tensor(values: Array, what: str) -> Tensor:
    """Numbers as a tensor: a tensor as it is, numpy's without a copy where its memory allows that.

    Args:
        values: a tensor, or an array of numpy.
        what: they are, for the message.

    Returns:
        A tensor.

    Raises:
        DataError: it is neither, or an array of something else than numbers.

    Example:
        >>> as_tensor(np.arange(3), "labels")
        tensor([0, 1, 2])
    """
    if isinstance(values, Tensor):
        return values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        got = f"an array of {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
        raise DataError(
            f"expected {what} as a tensor or a numpy array of numbers, got {got}; pass torch.tensor({what})"
        )
    native = np.require(values, values.dtype.newbyteorder("="), ["C", "W"])  # a file mapped for reading is copied
    return torch.from_numpy(native)
