"""The ball around clean images: steps, projection and random starts, in linf and l2."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

Source = torch.Generator | Sequence[torch.Generator]  # one for the batch, or one for each image


def seeded(generator: Source | None) -> Source:
    """The generator, or a fresh one with seed 0: the global one is never touched.

    Returns:
        A generator.
    """
    return torch.Generator().manual_seed(0) if generator is None else generator


def uniform(images: Tensor, source: Source) -> Tensor:
    """Numbers in [0, 1), shape, dtype and device of ``images``, drawn on the generator's device.

    Returns:
        (B, ...).
    """
    return _draw(images, source, lambda like, generator: like.uniform_(generator=generator))


def normal(images: Tensor, source: Source) -> Tensor:
    """Standard normal numbers, shape, dtype and device of ``images``, drawn on the generator's device.

    Returns:
        (B, ...).
    """
    return _draw(images, source, lambda like, generator: like.normal_(generator=generator))


def _draw(images: Tensor, source: Source, fill: Callable[[Tensor, torch.Generator], Tensor]) -> Tensor:
    """One draw for the batch, or one for each image from its own generator: then batches do not matter."""
    if isinstance(source, torch.Generator):
        return fill(torch.empty(images.shape, dtype=images.dtype, device=source.device), source).to(images.device)
    rows = zip(images, source, strict=True)
    drawn = [fill(torch.empty(row.shape, dtype=row.dtype, device=own.device), own) for row, own in rows]
    return torch.stack(drawn).to(images.device)


def lengths(changes: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 1, 1, 1)
    """The Euclidean norm of each sample.

    Returns:
        (B, 1, 1, 1).
    """
    return cast(Tensor, torch.linalg.vector_norm(changes, dim=(1, 2, 3), keepdim=True))


def unit(changes: Tensor) -> Tensor:
    """Each sample at length 1; one that is all zero stays so.

    Divided by its largest entry first: squares of gradients below 1e-19, as saturated softmaxes give them, would
    underflow in float32.

    Example:
        >>> unit(torch.tensor([[[[3e-30, 4e-30]]], [[[0.0, 0.0]]]])).flatten(1)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])

    Returns:
        (B, C, H, W).
    """
    tiny = torch.finfo(changes.dtype).tiny
    scaled = changes / changes.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(tiny)
    return scaled / lengths(scaled).clamp_min(tiny)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """The direction of size 1 in which the loss rises fastest: the sign in linf, the unit gradient in l2.

    Returns:
        (B, C, H, W).
    """
    return gradient.sign() if norm == "linf" else unit(gradient)


def projection(images: Tensor, eps: float, norm: str) -> Callable[[Tensor], Tensor]:
    """The projection into the ball of radius eps around the clean images, then into [0, 1], for many steps.

    Clean images lie in [0, 1], so the clamp shortens every change and does not leave the ball again; in linf both are
    one clamp, whose bounds are computed here, once.

    Args:
        images: clean, in [0, 1], (B, C, H, W).
        eps: radius.
        norm: ``"linf"`` or ``"l2"``.

    Returns:
        Images (B, C, H, W) -> images in the ball and in [0, 1].
    """
    if norm == "linf":
        low, high = (images - eps).clamp_(0, 1), (images + eps).clamp_(0, 1)
        return lambda adversarial: adversarial.clamp(low, high)

    def shrink(adversarial: Tensor) -> Tensor:
        change = adversarial - images
        share = (eps / lengths(change).clamp_min(torch.finfo(change.dtype).tiny)).clamp_max(1)
        return (images + change * share).clamp_(0, 1)

    return shrink


def project(adversarial: Tensor, images: Tensor, eps: float, norm: str) -> Tensor:
    """One projection, see ``projection``.

    Args:
        adversarial: (B, C, H, W).
        images: clean, in [0, 1], (B, C, H, W).
        eps: radius.
        norm: ``"linf"`` or ``"l2"``.

    Returns:
        (B, C, H, W), in [0, 1].

    Example:
        >>> project(torch.tensor([[[[1.5, 0.5]]]]), torch.tensor([[[[0.9, 0.1]]]]), 0.3, "linf").flatten()
        tensor([1.0000, 0.4000])
        >>> project(torch.tensor([[[[0.6, 0.8]]]]), torch.tensor([[[[0.0, 0.0]]]]), 0.5, "l2").flatten()
        tensor([0.3000, 0.4000])
    """
    return projection(images, eps, norm)(adversarial)


def random_start(images: Tensor, eps: float, norm: str, source: Source) -> Tensor:
    """A random place in the ball and in [0, 1].

    linf: uniform in the ball. l2: a uniform direction and a uniform radius, which is denser around the middle than
    uniform in the ball. Both as torchattacks and MadryLab start.

    Args:
        images: clean, in [0, 1], (B, C, H, W).
        eps: radius.
        norm: ``"linf"`` or ``"l2"``.
        source: a generator, or one for each image.

    Returns:
        (B, C, H, W), in [0, 1].
    """
    if norm == "linf":
        return (images + (2 * uniform(images, source) - 1) * eps).clamp_(0, 1)
    direction = unit(normal(images, source))
    return (images + direction * uniform(images[:, :1, :1, :1], source) * eps).clamp_(0, 1)


def largest_change(adversarial: Tensor, images: Tensor, norm: str) -> Tensor:  # (B,)
    """How far each sample went.

    Returns:
        (B,).
    """
    change = adversarial - images
    return change.abs().amax(dim=(1, 2, 3)) if norm == "linf" else lengths(change).flatten()
