"""What every loader returns: a train and a test split of square 8-bit images, checked."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gossamer.core.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A train and a test split of square images, small enough to lie in memory.

    Two data sets hold the same content when their `fingerprint` is the same; ``==`` compares identity.

    Attributes:
        name: what settings are looked up by, such as ``"cifar10"``.
        label: what tables and figures print, such as ``"CIFAR-10 (JPEG)"``.
        train_images: uint8 (N, C, H, W), levels 0..255.
        train_labels: int64 (N,), 0..num_classes - 1.
        test_images: uint8 (M, C, H, W).
        test_labels: int64 (M,).
        classes: the class names, in the order of the labels.
        mean: per channel, of levels divided by 255.
        std: per channel, of levels divided by 255.

    Raises:
        DataError: if shapes, types, counts, labels or statistics do not fit together.

    Example:
        >>> images, labels = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
        >>> data = Dataset(name="toy", label="Toy", train_images=images, train_labels=labels, test_images=images[:2],
        ...                test_labels=labels[:2], classes=("a", "b"), mean=(0.5,), std=(0.5,))
        >>> data.num_classes, data.channels, data.image_size, len(data.fingerprint)
        (2, 1, 2, 64)
    """

    name: str
    label: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check both splits and that they fit each other."""
        check_split(self.train_images, self.train_labels, self.num_classes, f"{self.label}, train")
        check_split(self.test_images, self.test_labels, self.num_classes, f"{self.label}, test")
        check_shapes(self.train_images, self.test_images, self.label)
        if len(self.mean) != self.channels or len(self.std) != self.channels or min(self.std) <= 0:
            raise DataError(
                f"{self.label}: expected a mean and a positive std for each of {self.channels} channels, "
                f"got mean {self.mean} and std {self.std}; a std of 0 means that all images are one flat colour"
            )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.train_images.shape[1]

    @property
    def image_size(self) -> int:
        """Height, which is also the width, in pixels."""
        return self.train_images.shape[2]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over both splits, the class names and the statistics: the content, whatever the name."""
        digest = hashlib.sha256(repr((self.classes, self.mean, self.std)).encode())
        for tensor in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def check_split(images: Tensor, labels: Tensor, num_classes: int, source: str) -> None:
    """Check one split; `source` names it in the message.

    Args:
        images: expected uint8 (N, C, H, W).
        labels: expected int64 (N,), 0..num_classes - 1.
        num_classes: the number of classes.
        source: where the split comes from.

    Raises:
        DataError: on another type or shape, an empty split, unequal counts, or a label outside its range.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or labels.dtype != torch.int64 or labels.ndim != 1:
        raise DataError(
            f"{source}: expected uint8 images (N, C, H, W) and int64 labels (N,), "
            f"got {images.dtype} {tuple(images.shape)} and {labels.dtype} {tuple(labels.shape)}"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{source}: {len(images)} images but {len(labels)} labels; "
            "the two come from different sets or one is damaged: get both again"
        )
    if len(images) == 0:
        raise DataError(f"{source}: no images at all; expected at least one")
    outside = ((labels < 0) | (labels >= num_classes)).nonzero().flatten()
    if len(outside):
        first = int(outside[0])
        raise DataError(
            f"{source}: label {int(labels[first])} at index {first} is outside 0..{num_classes - 1} "
            f"({len(outside)} such labels); the labels belong to another data set or are damaged"
        )


def check_shapes(train_images: Tensor, test_images: Tensor, source: str) -> None:
    """Check that all images of both splits are alike and square; `source` names them in the message.

    Args:
        train_images: (N, C, H, W).
        test_images: (M, C, H, W).
        source: where the images come from.

    Raises:
        DataError: if the two shapes differ or height and width do.
    """
    train, test = tuple(train_images.shape[1:]), tuple(test_images.shape[1:])
    if train != test:
        raise DataError(
            f"{source}: train images are (C, H, W) = {train}, test images {test}; "
            "resize the test images or convert their colours so that both are the same"
        )
    if train[1] != train[2]:
        raise DataError(
            f"{source}: images are {train[1]} high and {train[2]} wide; the models take square ones: crop or pad them"
        )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, of levels divided by 255, from exact histograms.

    Args:
        images: uint8 (N, C, H, W).

    Returns:
        Mean and standard deviation (divisor: all pixels), each of length C.

    Example:
        >>> channel_statistics(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
        ((0.5,), (0.5,))
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = (share * levels).sum()
        means.append(float(mean))
        deviations.append(float((share * (levels - mean) ** 2).sum().sqrt()))
    return tuple(means), tuple(deviations)
