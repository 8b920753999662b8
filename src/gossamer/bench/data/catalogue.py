"""The data sets by name: where each may lie, how to get it, and how it is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gossamer.bench.data.cifar import CIFAR10, CIFAR100, Batches, read_batches
from gossamer.bench.data.dataset import Dataset, channel_statistics
from gossamer.bench.data.digits import read_digits
from gossamer.bench.data.fetch import Remote
from gossamer.bench.data.idx import read_splits
from gossamer.bench.data.places import Layout

Content = tuple[Tensor, Tensor, Tensor, Tensor, tuple[str, ...]]  # train and test images and labels, class names
Statistics = tuple[tuple[float, ...], tuple[float, ...]]

DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Where Debian's and Ubuntu's package dataset-fashion-mnist installs its files, by its own file list.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One named data set.

    Attributes:
        label: what tables print.
        counts: images in train and test.
        advice: how to get it, one sentence.
        read: from the paths of its files to its content.
        layout: how it may lie on disk; None if it is inside a package.
        remotes: what `download` fetches.
        statistics: published mean and std of each channel; None: computed from the training images.
    """

    label: str
    counts: tuple[int, int]
    advice: str
    read: Callable[[Sequence[Path]], Content]
    layout: Layout | None = None
    remotes: tuple[Remote, ...] = ()
    statistics: Statistics | None = None

    def dataset(self, name: str, paths: Sequence[Path]) -> Dataset:
        """Read the files into a checked data set."""
        train_images, train_labels, test_images, test_labels, classes = self.read(paths)
        mean, std = self.statistics or channel_statistics(train_images)
        return Dataset(
            name=name,
            label=self.label,
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            classes=classes,
            mean=mean,
            std=std,
        )


def _idx_entry(
    label: str,
    *,
    classes: tuple[str, ...],
    folders: tuple[str, ...],
    page: str,
    url: str,
    checksums: tuple[str, ...],
    package: str = "",
    system: Path | None = None,
    statistics: Statistics | None = None,
) -> Entry:
    return Entry(
        label=label,
        counts=(60_000, 10_000),
        advice=f"get the four idx files from {page}{package}",
        read=lambda paths: (*read_splits(paths, len(classes)), classes),
        layout=Layout(folders=folders, files=(IDX_FILES,), system=system),
        remotes=tuple(Remote(url=f"{url}/{file}.gz", md5=md5) for file, md5 in zip(IDX_FILES, checksums, strict=True)),
        statistics=statistics,
    )


def _cifar_entry(
    label: str, batches: Batches, *, folder: str, archive: str, md5: str, name: str, statistics: Statistics
) -> Entry:
    return Entry(
        label=label,
        counts=(50_000, 10_000),
        advice=f"get {archive} from https://www.cs.toronto.edu/~kriz/cifar.html; it need not be unpacked",
        read=lambda paths: read_batches(batches, paths),
        layout=Layout(folders=(name, folder, f"{name}/{folder}", ""), files=(batches.files, (archive,))),
        remotes=(Remote(url=f"https://www.cs.toronto.edu/~kriz/{archive}", md5=md5),),
        statistics=statistics,
    )


DATASETS: dict[str, Entry] = {
    "digits": Entry(
        label="Digits",
        counts=(1438, 359),
        advice="inside scikit-learn, always there",
        read=lambda paths: (*read_digits(), DIGITS),
    ),
    "mnist": _idx_entry(
        "MNIST",
        classes=DIGITS,
        folders=("mnist", "MNIST/raw"),
        page="http://yann.lecun.com/exdb/mnist",
        url="https://ossci-datasets.s3.amazonaws.com/mnist",  # PyTorch's mirror: the original host refuses downloads
        checksums=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        statistics=((0.1307,), (0.3081,)),
    ),
    "fashion-mnist": _idx_entry(
        "Fashion-MNIST",
        classes=CLOTHES,
        folders=("fashion-mnist", "FashionMNIST/raw"),
        page="https://github.com/zalandoresearch/fashion-mnist",
        package=", or on Debian and Ubuntu `apt-get install dataset-fashion-mnist`",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",  # that page's table, as are the checksums
        checksums=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        system=DEBIAN_FASHION_MNIST,
    ),
    "cifar10": _cifar_entry(
        "CIFAR-10",
        CIFAR10,
        name="cifar10",
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        md5="c58f30108f718f92721af3b95e74349a",
        # as in the code of arXiv:2409.09196; the std is the mean over images of each image's own
        statistics=((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    ),
    "cifar100": _cifar_entry(
        "CIFAR-100",
        CIFAR100,
        name="cifar100",
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        md5="eb9058c3a382ffc7106e4002c42a8d85",
        statistics=((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),  # as in the code of arXiv:2409.09196
    ),
}
