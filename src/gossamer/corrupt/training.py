"""Corrupted training and test sets, every image with one kind: the setting of P1, arXiv:2409.09196.

P1 (appendix A.3) corrupts both sets at the same severity. Its text names three kinds ("include"), and
does not say how they are mixed; that each image gets exactly one, drawn independently of its class, is assumed.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from gossamer.core.errors import DataError, SettingError, UnknownNameError
from gossamer.core.given import check_seed
from gossamer.corrupt.apply import check_severity
from gossamer.corrupt.families import LARGEST
from gossamer.corrupt.recipe import Recipe, check_fit
from gossamer.corrupt.streams import Streams

P1_KINDS = ("gaussian_noise", "impulse_noise", "defocus_blur")  # that P1 has no others than it names is assumed
Part = Literal["train", "test"]
Mixing = Literal["per_image", "all"]


def corrupt_training(
    images: Tensor,
    kinds: Sequence[str] = P1_KINDS,
    severity: int = 5,
    *,
    seed: int = 0,
    mixing: Mixing = "per_image",
    part: Part = "train",
    index: Sequence[int] | Tensor | None = None,
    family: str | None = None,
    frost: str | Path | None = None,
) -> tuple[Tensor, Tensor]:  # (N, C, H, W) -> (N, C, H, W), (N,)
    """Corrupt a whole training or test set, every image by exactly one kind.

    An image's kind and picture depend on seed, part and index only: a subset, corrupted under its images' indices,
    has the same pictures as in the whole set, and the kind is the same at every severity.

    Args:
        images: (N, C, H, W), levels or floats in [0, 1].
        kinds: names of ``CORRUPTIONS``; default: the three that P1 names.
        severity: 1 to 5 as published, 6 extrapolated; P1 has 5, and 2, 4 and 6 in its Appendix B.
        seed: of kinds and pictures, 0 or more.
        mixing: ``"per_image"``: a kind is drawn for each image, all equally likely, independently of its class
            (assumed); ``"all"``: the one named kind for all.
        part: ``"train"`` and ``"test"`` draw different numbers from the same seed.
        index: of each image in its set; default 0, 1, ...
        family: whose constants, as in ``corrupt``.
        frost: pictures of ice, as in ``corrupt``.

    Returns:
        uint8 levels, and the number of each image's kind in ``kinds``, int64.

    Raises:
        UnknownNameError: no such corruption, part, mixing or family.
        SettingError: a severity outside 1 to 6, a seed below 0, several kinds with ``mixing="all"``.
        DataError: images that cannot be corrupted, or indices that do not fit them.

    Example:
        >>> clean = torch.full((6, 3, 32, 32), 100, dtype=torch.uint8)
        >>> corrupt_training(clean, ["gaussian_noise", "impulse_noise"])[1]
        tensor([1, 0, 1, 0, 0, 0])
    """
    check_seed(seed)
    recipe = Recipe(derived(seed, part), family, frost)
    names = check_fit(images, kinds)
    check_severity(severity)
    if severity == 0:
        raise SettingError(
            f"expected a severity of 1 to 5 ({LARGEST} is extrapolated), got 0, which changes nothing; train on the "
            "clean images"
        )
    where = torch.arange(len(images)) if index is None else torch.as_tensor(index)
    if where.shape != (len(images),):
        raise DataError(f"expected {len(images)} indices, one an image, got {tuple(where.shape)}")
    number = _numbers(recipe.seed, len(names), mixing, where)
    result = torch.empty(images.shape, dtype=torch.uint8, device=images.device)
    for one, name in enumerate(names):
        chosen = (number == one).nonzero().flatten()
        result[chosen] = recipe.picture(images[chosen.to(images.device)], name, severity, where[chosen])
    return result, number


def derived(seed: int, part: str) -> int:
    """The seed of one part of the data.

    Args:
        seed: of both parts.
        part: ``"train"`` or ``"test"``.

    Returns:
        A number below 2⁶³ that only these two decide.

    Raises:
        UnknownNameError: no such part.
    """
    if part not in ("train", "test"):
        raise UnknownNameError("part of the data", part, ("train", "test"))
    return int.from_bytes(sha256(f"{seed}/{part}".encode()).digest()[:8]) >> 1


def _numbers(seed: int, count: int, mixing: str, where: Tensor) -> Tensor:
    if mixing not in ("per_image", "all"):
        raise UnknownNameError("mixing", mixing, ("per_image", "all"))
    if mixing == "all" and count > 1:
        raise SettingError(f"expected one kind with mixing='all', got {count}; name the one that all images get")
    if mixing == "all":
        return torch.zeros(len(where), dtype=torch.int64)
    return Streams(seed, "kind", 0, where.tolist()).integers(0, count)
