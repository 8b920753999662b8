"""Which published constants: three families, each for one size of image, and how they go on beyond severity 5.

Constants of one family on images of another size give another benchmark: 32-pixel images with ImageNet-C's Gaussian
noise change by 15 to 58 levels instead of 8 to 19.
"""

from collections.abc import Mapping
from typing import Any

from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.corrupt.kind import Constants, Corruption

FAMILIES: dict[str, int] = {"cifar-c": 32, "tinyimagenet-c": 64, "imagenet-c": 224}  # name: pixels of a side
SMALLEST: dict[str, int] = {"cifar-c": 8, "tinyimagenet-c": 8, "imagenet-c": 16}  # a side that every kind works on
LARGEST = 6  # severity of P1's Appendix B; the published tables end at 5


def by_family(*, cifar: tuple[Any, ...], tiny: tuple[Any, ...], imagenet: tuple[Any, ...]) -> dict[str, Any]:
    """Constants of severities 1 to 5 by family; a single number is a tuple of one."""
    tables = zip(FAMILIES, (cifar, tiny, imagenet), strict=True)
    return {name: tuple(row if isinstance(row, tuple) else (row,) for row in table) for name, table in tables}


def family_of(size: int, family: str | None = None) -> str:
    """The family of an image size, or the named one.

    Args:
        size: pixels of a side.
        family: a name of ``FAMILIES``, or None for the one of that size.

    Returns:
        Its name.

    Raises:
        UnknownNameError: no such family.
        SettingError: none is given and none has been published for this size, or the named one needs larger images.

    Example:
        >>> family_of(64), family_of(28, "cifar-c")
        ('tinyimagenet-c', 'cifar-c')
    """
    if family is not None:
        if family not in FAMILIES:
            raise UnknownNameError("family of corruption constants", family, FAMILIES)
        if size < SMALLEST[family]:
            raise SettingError(
                f"expected images of {SMALLEST[family]} pixels or more for the constants of {family!r}, got {size}; "
                "enlarge them, or name the constants of smaller images"
            )
        return family
    for name, own in FAMILIES.items():
        if size == own:
            return name
    raise SettingError(
        f"expected images of 32, 64 or 224 pixels, whose corruption constants are published, got {size}; name the "
        f"constants to use, such as family='{min(FAMILIES, key=lambda name: abs(FAMILIES[name] - size))}'"
    )


def constants(kind: Corruption, family: str, severity: int) -> Constants:
    """The constants of one severity.

    Args:
        kind: the corruption.
        family: a name that its table has.
        severity: 1 to 6; 6, which P1 uses and nobody has published, goes on geometrically (assumed): c₆ = c₅²/c₄ for
            positive numbers, whole numbers rounded, within the kind's bounds; other constants, and equal ones, stay as
            they are. docs/corruptions.md lists them.

    Returns:
        In the order of the function's parameters.
    """
    table: Mapping[str, tuple[Constants, ...]] = kind.constants
    rows = table[family]
    if severity < LARGEST:
        return rows[severity - 1]
    free = ((None, None),) * len(rows[-1])
    return tuple(
        _next(before, last, *bounds)
        for before, last, bounds in zip(rows[-2], rows[-1], kind.bounds or free, strict=True)
    )


def _next(before: Any, last: Any, least: float | None, largest: float | None) -> Any:
    if isinstance(last, bool | str) or before == last or not (before > 0 and last > 0):
        return last
    value = last * last / before
    value = round(value) if isinstance(last, int) else value
    value = value if least is None else max(value, least)
    return value if largest is None else min(value, largest)
