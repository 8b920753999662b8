"""Two-dimensional Fourier transforms one sum at a time, from their definition."""

from cmath import exp, pi
from math import sqrt

Plane = list[list[float]]


def spectrum(image: Plane) -> dict[tuple[int, int], complex]:
    """The component of each frequency of the centred plane."""
    height, width = len(image), len(image[0])
    return {
        (u, v): sum(
            image[y][x] * exp(-2j * pi * (u * y / height + v * x / width)) for y in range(height) for x in range(width)
        )
        for u in range(-(height // 2), (height + 1) // 2)
        for v in range(-(width // 2), (width + 1) // 2)
    }


def image_of(components: dict[tuple[int, int], complex], height: int, width: int) -> list[list[complex]]:
    return [
        [
            sum(c * exp(2j * pi * (u * y / height + v * x / width)) for (u, v), c in components.items())
            / (height * width)
            for x in range(width)
        ]
        for y in range(height)
    ]


def attenuated(image: Plane, radius: float, keep: str) -> list[list[complex]]:
    """Components outside (keep low) or inside (keep high) of the disk become zero; complex, so that a rest shows."""
    kept = {
        (u, v): component if (sqrt(u * u + v * v) <= radius) == (keep == "low") else 0
        for (u, v), component in spectrum(image).items()
    }
    return image_of(kept, len(image), len(image[0]))


def mirrored(frequency: int, size: int) -> int:
    """-f within -(size // 2) to (size - 1) // 2."""
    return frequency if 2 * frequency == -size else -frequency


def basis(u: int, v: int, height: int, width: int) -> list[list[complex]]:
    """The image whose transform is (1 + i) / 2 at (u, v), (1 - i) / 2 at its mirror image and zero elsewhere, or 1 at
    a frequency that is its own mirror image; times √(HW), so that its l2 norm is 1 (Yin et al. 2019, released code).
    """
    other = mirrored(u, height), mirrored(v, width)
    components = {(u, v): 1 + 0j} if other == (u, v) else {(u, v): 0.5 + 0.5j, other: 0.5 - 0.5j}
    scaled = {frequency: component * sqrt(height * width) for frequency, component in components.items()}
    return image_of(scaled, height, width)
