"""The digits data set that scikit-learn carries: 1797 images of 8x8 (UCI "Optical Recognition of Handwritten Digits").

It needs no download, so the first run of everything works on any machine.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 16  # the pixels are counts 0..16 of set bits in 4x4 blocks
TEST_SHARE = 5  # one in five images is a test image
SPLIT_SEED = 0


def read_digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The digits, split once and for all: of each class a fifth, rounded, drawn with a fixed seed, is the test set.

    Returns:
        Train images uint8 (1438, 1, 8, 8) and labels int64 (1438,), then the 359 of the test set.
        Both keep scikit-learn's order.
    """
    from sklearn.datasets import load_digits  # here: importing scikit-learn takes a second that other data need not pay

    bunch = load_digits()
    images = torch.from_numpy(np.rint(bunch.images * 255 / LEVELS).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    is_test[torch.from_numpy(stratified_share(bunch.target, TEST_SHARE, SPLIT_SEED))] = True
    return images[~is_test], labels[~is_test], images[is_test], labels[is_test]


def stratified_share(labels: NDArray[np.int64], parts: int, seed: int) -> NDArray[np.int64]:
    """Indices of one `parts`-th of each class, rounded.

    Args:
        labels: (N,) class of each sample.
        parts: one in how many.
        seed: of the drawing; numpy's RandomState, whose stream never changes (NEP 19).

    Returns:
        The indices, class by class.

    Example:
        >>> stratified_share(np.array([0, 0, 0, 0, 1, 1]), 2, seed=0).tolist()
        [2, 3, 4]
    """
    random = np.random.RandomState(seed)
    drawn = []
    for label in np.unique(labels):
        indices = np.flatnonzero(labels == label)
        drawn.append(random.permutation(indices)[: round(len(indices) / parts)])
    return np.concatenate(drawn)
