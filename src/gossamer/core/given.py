"""Checks of what a caller gives, the same wherever it is given."""

from torch import Tensor

from gossamer.core.errors import DataError, SettingError
from gossamer.core.schedule import is_whole


def check_tensor(given: object, what: str) -> None:
    """Refuse what is no tensor, such as a numpy array.

    Args:
        given: anything.
        what: it is, in the plural.

    Raises:
        DataError: it is no tensor.

    Example:
        >>> check_tensor([1, 2], "labels")
        Traceback (most recent call last):
        ...
        gossamer.core.errors.DataError: expected labels as a tensor, got list; pass torch.tensor(labels)
    """
    if isinstance(given, Tensor):
        return
    kind = type(given)
    convert = "from_numpy" if kind.__module__ == "numpy" else "tensor"
    raise DataError(f"expected {what} as a tensor, got {kind.__name__}; pass torch.{convert}({what})")


def check_seed(seed: object) -> None:
    """Refuse a seed that is no whole number of 0 or more.

    Args:
        seed: anything.

    Raises:
        SettingError: it is something else, such as None or a generator.

    Example:
        >>> check_seed(0)
    """
    if not is_whole(seed) or seed < 0:  # type: ignore[operator]  # a whole number can be compared
        raise SettingError(f"expected a whole number of 0 or more as seed, got {seed!r}; the same seed draws the same")
