"""``gossamer corrupt``: a data set's split, corrupted by many kinds at many severities, on the disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import Progress

from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.prepare import family_for
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.corrupt import CORRUPTIONS, frost_source, write_corrupted

SPLITS = ("test", "train")
LAYOUTS = ("cifar-c", "folders")


def write(
    console: Console, data: Dataset, out: Path, how: Corrupted, severities: Sequence[int], split: str, layout: str
) -> None:
    """Write a corrupted set, or go on writing it, with a bar; the parts that are there are kept.

    Args:
        console: where to draw.
        data: the clean set.
        out: the folder of the corrupted set.
        how: kinds, family, frost and seed; its severity is not looked at.
        severities: whole numbers from 1 to 6.
        split: ``"test"`` or ``"train"``.
        layout: ``"cifar-c"`` (an .npy a kind) or ``"folders"`` (PNG files by kind, severity and class).

    Raises:
        UnknownNameError: no such split or layout.
        SettingError: a kind that changes colours, on grey images.
    """
    for word, known, what in ((split, SPLITS, "split"), (layout, LAYOUTS, "layout of corrupted sets")):
        if word not in known:
            raise UnknownNameError(what, word, known)
    names = how.kinds
    if data.channels == 1 and (colour := [name for name in names if CORRUPTIONS[name].colour]):
        raise SettingError(
            f"expected kinds that work on grey images, got {', '.join(colour)}, which change colours; name the others "
            "with --kinds"
        )
    images, labels = (data.test_images, data.test_labels) if split == "test" else (data.train_images, data.train_labels)
    family = family_for(how, data.image_size)
    with Progress(console=console, transient=True) as progress, naming(out):
        task = progress.add_task(f"{data.label}, {split}", total=len(names) * len(severities))
        write_corrupted(
            images, labels, out, kinds=names, severities=tuple(severities), seed=how.seed, family=family,
            frost=how.frost, layout=layout, classes=folder_names(data.classes), after=lambda *_: progress.advance(task),
        )  # fmt: skip
    forget_lock(out)
    frost = f"; frost: {frost_source(how.frost)}" if "frost" in names else ""
    console.print(
        f"{len(images):,} images of {data.label} ({split}), {len(names)} kinds × {len(severities)} severities, "
        f"constants of {family}{frost}\n{out}",
        soft_wrap=True,
    )


@contextmanager
def naming(out: Path) -> Iterator[None]:
    """Name the newest file below a folder in errors of the disk that name none, as those of a full one.

    Args:
        out: the folder that is written.

    Raises:
        OSError: the same, with a name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        files = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
        newest = max(files, key=lambda path: path.stat().st_mtime_ns, default=out)
        raise OSError(error.errno, error.strerror or str(error), str(newest)) from None


def forget_lock(out: Path) -> None:
    """Take the lock's file out of a finished set, which may be published, unless another process holds it.

    Args:
        out: the set's folder.
    """
    lock = FileLock(out / ".lock", timeout=0)
    with suppress(Timeout, OSError), lock:  # an open file cannot be removed everywhere
        (out / ".lock").unlink(missing_ok=True)


def folder_names(classes: Sequence[str]) -> Sequence[str] | None:
    """The classes' names, if folders can have them and the alphabet has them in the order of the labels.

    Args:
        classes: names in the order of the labels.

    Returns:
        The names, or None: folders are then named by numbers.

    Example:
        >>> folder_names(("cat", "dog")), folder_names(("T-shirt/top", "trouser")), folder_names(("b", "a"))
        (('cat', 'dog'), None, None)
    """
    odd = [name for name in classes if not name or name.startswith(".") or set(name) & set("/\\")]
    return None if odd or list(classes) != sorted(set(classes)) else classes
