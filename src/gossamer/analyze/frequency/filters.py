"""Power spectra of the filters with which a network first looks at an image."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gossamer.analyze.channels.convolutions import convolutions, named_module
from gossamer.analyze.frequency.fourier import frequencies, radial_mean
from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from gossamer.core.schedule import is_whole


@dataclass(frozen=True, eq=False)
class FilterSpectra:
    """What :func:`filter_spectra` found of F filters.

    Attributes:
        layer: name of the convolution.
        power: |FFT|² of each filter, mean over its input channels, float64 (F, size, size), centred: frequency (0, 0)
            at (size // 2, size // 2).
        live: live weights of each filter, int64 (F,).
        cutoff: what counts as high, in units of the highest frequency of a side.
    """

    layer: str
    power: Tensor = field(repr=False)
    live: Tensor = field(repr=False)
    cutoff: float

    @property
    def mean(self) -> Tensor:
        """Over the filters, the dead ones included as zeros, (size, size)."""
        return self.power.mean(0)

    @property
    def energy(self) -> Tensor:
        """The power of each filter, mean over the plane, (F,): the squares of its weights (Parseval)."""
        return self.power.mean((1, 2))

    @property
    def high_share(self) -> Tensor:
        """The share of each filter's power in the high frequencies, (F,); nan where there is none at all."""
        return self.power[:, self._high()].sum(1) / self.power.sum((1, 2))

    @property
    def mean_high_share(self) -> float:
        """The same of the layer as a whole."""
        return float(self.mean[self._high()].sum() / self.mean.sum())

    @property
    def flat_share(self) -> float:
        """The share that a filter with a single live weight has, since its spectrum is flat: what to compare with."""
        return float(self._high().double().mean())

    def profile(self) -> Tensor:
        """The mean power over each ring of frequencies.

        Returns:
            float64 (R,), by the distance from the centre; size // 2 is the highest frequency of a side.
        """
        return radial_mean(self.mean)

    def rows(self) -> list[dict[str, str | float | int | None]]:
        """A row for each filter; None as share of a dead one.

        Returns:
            Plain numbers.
        """
        columns = (self.live.tolist(), self.energy.tolist(), self.high_share.tolist())
        return [
            {
                "layer": self.layer,
                "filter": index,
                "live": live,
                "energy": energy,
                "high_share": None if math.isnan(share) else share,
            }
            for index, (live, energy, share) in enumerate(zip(*columns, strict=True))
        ]

    def _high(self) -> Tensor:
        side = self.power.shape[-1]
        cycles = (frequencies(side).double() / side).square()  # per pixel
        return (cycles[:, None] + cycles[None, :]).sqrt().to(self.power.device) > self.cutoff / 2


def filter_spectra(
    model: nn.Module,
    *,
    layer: str | None = None,
    size: int = 32,
    cutoff: float = 0.5,
    masks: Mapping[str, Tensor] | None = None,
) -> FilterSpectra:
    """Power spectra of the filters of a convolution: are they smooth, or do they look for detail?

    Each kernel is padded with zeros to ``size`` by ``size``, which samples its spectrum more finely and changes
    nothing else.

    Args:
        model: any network; it is not run.
        layer: name of the convolution; default: the first one listed, which is the one that sees the image in any
            usual network.
        size: side of the plane, at least that of a kernel; 32 is a choice.
        cutoff: frequencies beyond it are high, between 0 and √2 in units of the highest frequency of a side (half a
            cycle per pixel); 0.5 is a choice.
        masks: by parameter name; weights outside of them count as zeros. Not needed where they hold zeros already.

    Returns:
        Spectra and shares, filter by filter.

    Raises:
        UnknownNameError: no such layer.
        SettingError: the layer is no two-dimensional convolution, there is none, or a size or cutoff outside of its
            range.

    Example:
        >>> model = nn.Conv2d(1, 2, 2, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[[[1.0, 1.0], [1.0, 1.0]]], [[[1.0, -1.0], [-1.0, 1.0]]]]))
        >>> filter_spectra(model, size=4).high_share.round(decimals=2)  # a mean, and a difference of differences
        tensor([0.2500, 1.0000], dtype=torch.float64)
    """
    name, convolution = _chosen(model, layer)
    weight = convolution.weight.detach()
    sides = weight.shape[-2:]
    if not (is_whole(size) and size >= max(sides)):
        raise SettingError(f"expected a size of {max(sides)} or more, that the kernels fit in, got {size!r}")
    if not 0 < cutoff < math.sqrt(2):
        raise SettingError(f"expected a cutoff between 0 and √2, where 1 is half a cycle per pixel, got {cutoff}")
    parameter = f"{name}.weight" if name else "weight"
    mask = (masks or {}).get(parameter)
    if mask is not None:
        mask_ops.check({parameter: mask}, {parameter: weight})
        weight = weight.masked_fill(~mask.to(weight.device), 0)
    spectrum = torch.fft.fft2(weight.double(), s=(size, size))
    power = torch.fft.fftshift(spectrum.abs().square().mean(1), dim=(-2, -1))
    live = (weight if mask is None else mask).flatten(1).count_nonzero(1).cpu()
    return FilterSpectra(name, power.cpu(), live, cutoff)


def _chosen(model: nn.Module, layer: str | None) -> tuple[str, nn.Conv2d]:
    if layer is None:
        return next(iter(convolutions(model).items()))
    module = named_module(model, layer)
    if not isinstance(module, nn.Conv2d):
        raise SettingError(
            f"expected a two-dimensional convolution, got {layer!r}, a {type(module).__name__}; take one of "
            f"{list(convolutions(model))}"
        )
    return layer, module
