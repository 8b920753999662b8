"""The ten kinds of ImageNet-C-bar (Mintun, Kirillov & Xie 2021, arXiv:2102.11273) and their severities.

They were chosen to differ from the common corruptions as networks perceive them. The authors' severities 1 to 5 are
levels on a scale of 0 to 10, kind by kind. Published: all ten at 224 pixels (the files ``imagenet_c_bar.csv`` of
github.com/facebookresearch/augmentation-corruption) and the five that CIFAR-10-C-bar shares at 32 pixels
(``cifar10_c_bar.csv``); the other five of CIFAR-10-C-bar are not here. Assumed, as nobody has published them: at 32
pixels the other five take every second one of the ten levels that the authors scanned on CIFAR-10
(``cifar10_new_corruptions.csv``); at 64 pixels all take ImageNet's. Lengths scale with the image, as the authors' do.
"""

from gossamer.corrupt.bar_noise import (
    brownish_noise,
    cocentric_sine_waves,
    perlin_noise,
    plasma_noise,
    single_frequency_greyscale,
)
from gossamer.corrupt.bar_shapes import (
    blue_noise_sample,
    caustic_refraction,
    checkerboard_cutout,
    inverse_sparkles,
    sparkles,
)
from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Apply, Corruption

Levels = tuple[float, float, float, float, float]


def _kind(
    apply: Apply, *, imagenet: Levels, cifar: Levels, colour: bool = False, largest: float | None = None
) -> Corruption:
    """A kind whose only constant is its level; at 64 pixels that of 224 (assumed)."""
    table = by_family(cifar=cifar, tiny=imagenet, imagenet=imagenet)
    return Corruption(apply, table, "bar", colour, bounds=((None, largest),))


BAR = {
    "blue_noise_sample": _kind(blue_noise_sample, imagenet=(0.8, 1.6, 2.4, 4.0, 5.6), cifar=(0.7, 1.4, 2.1, 3.5, 4.2)),
    "brownish_noise": _kind(brownish_noise, imagenet=(1.0, 2.0, 3.0, 4.0, 5.0), cifar=(2.5, 4.0, 5.5, 6.5, 7.0)),
    "caustic_refraction": _kind(
        caustic_refraction,
        imagenet=(2.35, 3.2, 4.9, 6.6, 9.15),
        cifar=(1.8, 2.6, 3.4, 4.2, 5.0),  # assumed
    ),
    "checkerboard_cutout": _kind(
        checkerboard_cutout, imagenet=(2.0, 3.0, 4.0, 5.0, 6.0), cifar=(1.0, 2.0, 3.0, 4.0, 5.0), largest=10.0
    ),
    "cocentric_sine_waves": _kind(
        cocentric_sine_waves,
        imagenet=(3.0, 5.0, 8.0, 9.0, 10.0),
        cifar=(1.0, 2.0, 3.0, 4.0, 5.0),  # assumed
    ),
    "inverse_sparkles": _kind(inverse_sparkles, imagenet=(1.0, 2.0, 4.0, 9.0, 10.0), cifar=(1.0, 1.5, 2.5, 4.5, 5.0)),
    "perlin_noise": _kind(
        perlin_noise,
        imagenet=(4.6, 5.2, 5.8, 7.6, 8.8),
        cifar=(5.2, 6.4, 7.6, 8.8, 10.0),  # assumed
        largest=20.0,
    ),
    "plasma_noise": _kind(
        plasma_noise,
        imagenet=(4.75, 7.0, 8.5, 9.25, 10.0),
        cifar=(1.4, 2.8, 4.2, 5.6, 7.0),  # assumed
        colour=True,
        largest=255 / 6.4,
    ),
    "single_frequency_greyscale": _kind(
        single_frequency_greyscale,
        imagenet=(1.0, 1.5, 2.0, 4.5, 5.0),
        cifar=(0.6, 1.2, 1.8, 2.4, 3.0),  # assumed
    ),
    "sparkles": _kind(sparkles, imagenet=(1.0, 2.0, 3.0, 5.0, 6.0), cifar=(0.7, 3.5, 5.6, 6.3, 7.0)),
}
