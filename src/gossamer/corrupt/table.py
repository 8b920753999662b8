"""All kinds of corruption by name."""

from gossamer.corrupt.bar import BAR
from gossamer.corrupt.blur import BLUR
from gossamer.corrupt.colour import COLOUR, SATURATE
from gossamer.corrupt.elastic import ELASTIC
from gossamer.corrupt.jpeg import JPEG
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.noise import NOISE, SPECKLE
from gossamer.corrupt.pixelate import PIXELATE
from gossamer.corrupt.spatter import SPATTER
from gossamer.corrupt.weather import WEATHER

_DIGITAL = {**COLOUR, "elastic_transform": ELASTIC, "pixelate": PIXELATE, "jpeg_compression": JPEG}
_PUBLISHED = {**NOISE, **BLUR, **WEATHER, **_DIGITAL}
_STANDARD = {name: kind for name, kind in _PUBLISHED.items() if kind.group != "extra"}
_EXTRA = {
    "speckle_noise": SPECKLE,
    "gaussian_blur": BLUR["gaussian_blur"],
    "spatter": SPATTER,
    "saturate": SATURATE,
}

# the order of the published tables: 15 standard kinds, 4 extra ones, 10 of ImageNet-C-bar
CORRUPTIONS: dict[str, Corruption] = {**_STANDARD, **_EXTRA, **BAR}
STANDARD: tuple[str, ...] = tuple(_STANDARD)
EXTRA: tuple[str, ...] = tuple(_EXTRA)
