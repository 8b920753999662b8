"""Data sets by name or path: load, list, download."""

from dataclasses import dataclass
from pathlib import Path

from gossamer.bench.data.catalogue import DATASETS, Entry
from gossamer.bench.data.cifar import PIXELS
from gossamer.bench.data.dataset import Dataset, channel_statistics
from gossamer.bench.data.decoded import read_archive
from gossamer.bench.data.fetch import fetch
from gossamer.bench.data.images import read_images
from gossamer.bench.data.places import cache_folder, find_files, locate, places
from gossamer.core.errors import MissingError, SettingError, UnknownNameError

PREFIX = "folder:"
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load(name: str, *, folder: str | Path | None = None) -> Dataset:
    """Load a data set by name, or an image folder by its path.

    Args:
        name: a name of `DATASETS`; or ``folder:PATH``, or just the path, of an image folder
            (``train/<class>/*.png|jpg|jpeg``, ``test/<class>/...``) or of a tar archive of one. Names come first.
        folder: where a named data set lies. Default: $GOSSAMER_DATA/<name>, data/<name>, the user's cache folder,
            the place of the Linux package, whichever has it first.

    Returns:
        The data set, checked.

    Raises:
        SettingError: if `folder` is given to a data set that has none.
        UnknownNameError: if there is neither such a name nor such a path.
        MissingError: if its files are not there; says where they were looked for and how to get them.
        DataError: if they are not what their format promises.

    Example:
        >>> digits = load("digits")
        >>> digits.label, tuple(digits.train_images.shape), digits.num_classes
        ('Digits', (1438, 1, 8, 8), 10)
    """
    entry = DATASETS.get(name)
    if folder is not None and (entry is None or entry.layout is None):
        raise SettingError(f"folder={str(folder)!r} says where a named data set lies, but {name!r} needs none; drop it")
    if entry is not None:
        return entry.dataset(name, _paths(name, entry, None if folder is None else Path(folder)))
    if name.startswith(PREFIX) or Path(name).exists() or name.endswith(ARCHIVES):
        return load_path(Path(name.removeprefix(PREFIX)))
    raise UnknownNameError("data set", name, [*DATASETS, f"{PREFIX}PATH"])


def _paths(name: str, entry: Entry, folder: Path | None) -> list[Path]:
    return locate(name, entry.layout, entry.advice, folder) if entry.layout else []


def load_path(path: Path) -> Dataset:
    """Load an image folder or a tar archive of one.

    Args:
        path: the folder or the archive.

    Returns:
        The data set, named after the path; CIFAR-10 as JPEG is recognised and labelled so, since its pixels, and so
        its results, differ from the official ones. Mean and std are those of its training images.

    Raises:
        MissingError: if there is nothing at the path.
        DataError: if what is there is no image folder.
    """
    if not path.exists():
        raise MissingError(
            f"{path}: no such file or folder; expected an image folder (train/<class>/..., test/<class>/...) "
            "or a tar archive of one; `gossamer data` lists the data sets known by name"
        )
    tensors, classes, suffix = read_images(path) if path.is_dir() else read_archive(path)
    stem = path.resolve().name.split(".")[0]
    mean, std = channel_statistics(tensors["train_images"])
    is_cifar = classes == CIFAR10_CLASSES and tensors["train_images"].shape[1:] == PIXELS and suffix != ".png"
    name, label = ("cifar10-jpeg", "CIFAR-10 (JPEG)") if is_cifar else (stem, stem)
    return Dataset(name=name, label=label, classes=classes, mean=mean, std=std, **tensors)


@dataclass(frozen=True, kw_only=True)
class Availability:
    """What `gossamer data` lists about one data set.

    Attributes:
        name: by which it is loaded.
        label: what tables print.
        counts: images in train and test.
        place: where it was found; None: missing.
        advice: how to get it.
    """

    name: str
    label: str
    counts: tuple[int, int]
    place: str | None
    advice: str

    @property
    def present(self) -> bool:
        """Whether `load` would find it."""
        return self.place is not None


def available(folder: str | Path | None = None) -> list[Availability]:
    """Every named data set, present or missing; looks for files and reads none.

    Args:
        folder: if given, the only folder to look in.

    Returns:
        One entry a data set, in the order of `DATASETS`.

    Example:
        >>> available()[0]
        Availability(name='digits', label='Digits', counts=(1438, 359), place='scikit-learn',
                     advice='inside scikit-learn, always there')
    """
    looked = None if folder is None else Path(folder)
    return [
        Availability(
            name=name, label=entry.label, counts=entry.counts, place=_place(entry, looked), advice=entry.advice
        )
        for name, entry in DATASETS.items()
    ]


def _place(entry: Entry, folder: Path | None) -> str | None:
    if entry.layout is None:
        return "scikit-learn"
    found = (find_files(entry.layout, place) for place in places(entry.layout, folder))
    return next((str(paths[0] if len(paths) == 1 else paths[0].parent) for paths in found if paths), None)


def download(name: str, folder: str | Path | None = None, *, mirror: str | None = None) -> list[Path]:
    """Fetch a data set from its official place, checked by the published checksums.

    Args:
        name: a name of `DATASETS`.
        folder: where to put the files. Default: the user's cache folder, where `load` finds them.
        mirror: another address to take the files from, such as ``http://host/mnist``; the checksums stay the same.

    Returns:
        The paths of the files; those already there are not fetched again.

    Raises:
        UnknownNameError: if there is no such name.
        DataError: if a checksum is not the published one.
        MissingError: if a file cannot be reached or stored.

    Example:
        >>> download("digits")  # nothing to fetch
        []
    """
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    target = cache_folder() / name if folder is None else Path(folder)
    return [fetch(remote.at(mirror) if mirror else remote, target) for remote in DATASETS[name].remotes]
