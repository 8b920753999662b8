"""Write a corrupted data set in an official layout; stopped anywhere, the same call goes on and ends the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from gossamer._version import __version__
from gossamer.core.errors import SettingError, StateError
from gossamer.corrupt.families import family_of
from gossamer.corrupt.layouts import CorruptedSet, read_corrupted
from gossamer.corrupt.provenance import PROVENANCE, fingerprint, read_provenance
from gossamer.corrupt.recipe import SEVERITIES, Images, Recipe, check_fit, check_labels, check_severities, chunks
from gossamer.corrupt.table import STANDARD
from gossamer.corrupt.written_files import ArrayWriter, FolderWriter, Writer, write_json

LAYOUTS = ("cifar-c", "folders")


@dataclass(frozen=True)
class _Order:
    """What is to be written, checked."""

    images: Images
    labels: Tensor
    kinds: tuple[str, ...]
    severities: tuple[int, ...]
    recipe: Recipe


def write_corrupted(
    images: Images,
    labels: Tensor,
    folder: str | Path,
    kinds: Sequence[str] = STANDARD,
    severities: Sequence[int] | int = SEVERITIES,
    *,
    seed: int = 0,
    family: str | None = None,
    frost: str | Path | None = None,
    layout: str = "cifar-c",
    quality: int | None = None,
    classes: Sequence[str] | None = None,
    after: Callable[[str, int], None] | None = None,
) -> CorruptedSet:
    """Write every kind and severity of some images to disk, in the layout of CIFAR-10-C or of ImageNet-C.

    Interrupted, even killed, the same call keeps what is finished and ends with the same bytes; a kind's file, or a
    severity's folder, has its name only when it is whole. ``set.json`` says how the set was made, and a call that
    would make another one is refused. Memory does not grow with the images.

    Args:
        images: (N, C, H, W), levels or floats in [0, 1]; or anything with a length whose slices are such.
        labels: (N,).
        folder: an empty or new folder, or the one to go on with.
        kinds: names of ``CORRUPTIONS``; default: the 15 standard ones.
        severities: rising, of 1 to 5 as published, or 6, extrapolated; or a single one.
        seed: of the random kinds.
        family: whose constants, as in ``corrupt``.
        frost: pictures of ice, as in ``corrupt``.
        layout: ``"cifar-c"``: ``<kind>.npy`` and ``labels.npy``; ``"folders"``:
            ``<kind>/<severity>/<class>/<number>.JPEG``.
        quality: of the JPEG files of ``"folders"``: 85 in the official ImageNet-C and Tiny-ImageNet-C, which makes
            another benchmark than uncompressed images; None writes PNG files, which lose nothing.
        classes: names of the class folders, in the order of the labels, which must be the alphabet's; default: the
            labels' numbers.
        after: called with kind and severity after each, also after those that were there already.

    Returns:
        The set, read and checked.

    Raises:
        UnknownNameError: no such corruption, layout or family.
        SettingError: settings outside their ranges.
        DataError: images or labels that cannot be corrupted or do not match.
        MissingError: a folder without the photographs of frost.
        StateError: the folder holds another set, or another process is writing it.
    """
    recipe = Recipe(seed, family_of(int(images[0:1].shape[-1]), family) if len(images) else family, frost)
    own = check_labels(images, labels)
    order = _Order(images, own, check_fit(images, kinds), check_severities(severities), recipe)
    path = Path(folder)
    writer = _writer(path, layout, order, quality, classes)
    asked = _provenance(order, layout, quality, writer)
    with _locked(path):
        _agree(path, asked)
        writer.begin()
        for kind in order.kinds:
            for severity in order.severities:
                if not writer.has(kind, severity):
                    pictures = (
                        (where, recipe.picture(part, kind, severity, where)) for where, part in chunks(order.images)
                    )
                    writer.write(kind, severity, pictures)
                if after is not None:
                    after(kind, severity)
    return read_corrupted(path)


def _writer(path: Path, layout: str, order: _Order, quality: int | None, classes: Sequence[str] | None) -> Writer:
    if layout not in LAYOUTS:
        raise SettingError(f"expected the layout 'cifar-c' or 'folders', got {layout!r}")
    if quality is not None and (layout == "cifar-c" or not 1 <= quality <= 95):
        raise SettingError(
            f"expected a JPEG quality of 1 to 95 with layout 'folders', or None, got {quality!r} with layout "
            f"{layout!r}; the official folders have 85, arrays are never compressed"
        )
    if layout == "cifar-c":
        _, channels, height, width = order.images[0:1].shape
        return ArrayWriter(path, order.severities, order.labels, (height, width, channels))
    return FolderWriter(path, order.labels, _names(order.labels, classes), quality)


def _names(labels: Tensor, classes: Sequence[str] | None) -> tuple[str, ...]:
    count = int(labels.max()) + 1
    if classes is None:
        return tuple(f"{number:0{len(str(count - 1))}}" for number in range(count))
    names = tuple(classes)
    if len(names) < count or list(names) != sorted(set(names)):
        raise SettingError(
            f"expected names of at least {count} classes, different and in the order of the alphabet, which is that of "
            f"the labels when folders are read, got {len(names)}: {', '.join(names[:3])}, ..."
        )
    if bad := [name for name in names if not name or name.startswith(".") or set(name) & set("/\\")]:
        raise SettingError(f"expected class names that can name folders, got {bad[0]!r}")
    return names


def _provenance(order: _Order, layout: str, quality: int | None, writer: Writer) -> dict[str, Any]:
    return {
        "gossamer": __version__,
        "layout": layout,
        "kinds": list(order.kinds),
        "severities": list(order.severities),
        "family": order.recipe.family,
        "frost": order.recipe.ice(order.kinds),
        "seed": int(order.recipe.seed),
        "quality": quality,
        "images": len(order.images),
        "sha256": fingerprint(order.images, order.labels),
        "classes": writer.classes,
    }


def _agree(path: Path, asked: dict[str, Any]) -> None:
    """Note how the set is made, or refuse to mix it with one that was made in another way."""
    there = read_provenance(path)
    if there is None:
        if others := sorted(child.name for child in path.iterdir() if not child.name.startswith(".")):
            raise StateError(
                f"{path}: expected an empty folder, or one that an interrupted call has begun, found "
                f"{', '.join(others[:3])}; choose another folder"
            )
        write_json(path / PROVENANCE, asked)
    elif odd := [key for key in asked if there.get(key) != asked[key]]:
        said = "; ".join(f"{key} {_short(there.get(key))} there, {_short(asked[key])} asked" for key in odd)
        raise StateError(
            f"{path}: holds a set that was made in another way ({said}); ask for the same to go on with it, or choose "
            "another folder"
        )


def _short(value: object) -> str:
    return text if len(text := str(value)) <= 60 else f"{text[:57]}..."


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder, made if it is not there; the lock dies with the process."""
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StateError(
            f"{path}: another process is writing this set; wait for it, or choose another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()
