"""JPEG in whole numbers, batched: what libjpeg-turbo decodes of what it encodes at a quality.

Entropy coding loses nothing and is left out. What loses is done here as that library does it (ITU-T T.81, and its
transform "islow" after Loeffler, Ligtenberg & Moschytz 1989): all numbers are whole, all roundings the library's, so
that the pictures are those of Pillow, on any device. A transform of eight numbers is rounded at its end only and is
therefore a matrix. All matrices act in double precision, which holds these numbers exactly; single precision would
hold many of them too, but a user may have allowed torch to multiply it less precisely.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from gossamer.corrupt.families import by_family
from gossamer.corrupt.kind import Corruption
from gossamer.corrupt.streams import Streams

BLOCK = 8
# steps of luminance and chrominance at quality 50: T.81, Tables K.1 and K.2
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * BLOCK,) * 4,
)
# 8192 · √2 · cos((2n + 1) k π / 16), but for the last digit: sums of the rounded constants of the fast algorithm
TRANSFORM = (
    (8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363),
    (10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703),
    (9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633),
    (8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437),
    (4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433),
    (2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260),
)
# red, green, blue to luminance and the two colour differences, in 2⁻¹⁶
TO_YCC = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))


def jpeg_compression(levels: Tensor, quality: int, streams: Streams) -> Tensor:  # uint8 (B, C, H, W) -> same
    """Save as JPEG and read again: colours at half the resolution (4:2:0), as is Pillow's default."""
    if levels.shape[1] == 1:
        return _through(levels.to(torch.float64), _steps(LUMINANCE, quality, levels.device)).to(torch.uint8)
    height, width = levels.shape[-2:]
    luminance, differences = _to_ycc(levels)
    bright = _through(luminance, _steps(LUMINANCE, quality, levels.device))
    small = _through(_halve(differences), _steps(CHROMINANCE, quality, levels.device))
    own = small[..., : -(-height // 2), : -(-width // 2)]
    return _to_rgb(bright, _double(own)[..., :height, :width])


def _through(plane: Tensor, steps: Tensor) -> Tensor:  # float64 (B, C, H, W) levels -> int32, same
    """Transform every block of 8 × 8, round to whole steps, transform back."""
    height, width = plane.shape[-2:]
    if height % BLOCK or width % BLOCK:
        plane = pad(plane, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    shape = plane.shape
    matrix = _matrix(plane.device)
    rows = _shift((plane - 128).view(-1, BLOCK) @ matrix.T, 11)
    waves = _shift(matrix @ rows.view(-1, BLOCK, shape[-1]), 15).to(torch.float32)  # eight times the coefficients
    step = steps.repeat(1, shape[-1] // BLOCK)
    size = ((waves.abs() + 4 * step) / (8 * step)).floor() * step
    columns = _shift(matrix.T @ size.copysign(waves).to(torch.float64), 11)
    back = _shift(columns.view(-1, BLOCK) @ matrix, 18).to(torch.int32)
    return (back + 128).clamp(0, 255).view(shape)[..., :height, :width]


def _shift(sums: Tensor, bits: int) -> Tensor:
    """Divide by 2^bits and round, halves upwards."""
    return ((sums.to(torch.int32) + (1 << bits - 1)) >> bits).to(torch.float64)


def _to_ycc(levels: Tensor) -> tuple[Tensor, Tensor]:  # uint8 (B, 3, H, W) -> (B, 1, H, W), (B, 2, H, W)
    matrix = torch.tensor(TO_YCC, dtype=torch.float64, device=levels.device)
    offset = torch.tensor([32768, (128 << 16) + 32767, (128 << 16) + 32767], dtype=torch.int32, device=levels.device)
    sums = (matrix @ levels.to(torch.float64).flatten(2)).to(torch.int32) + offset[:, None]
    planes = (sums >> 16).view(levels.shape)
    return planes[:, :1].to(torch.float64).contiguous(), planes[:, 1:].to(torch.float64)


def _to_rgb(bright: Tensor, differences: Tensor) -> Tensor:  # int32 (B, 1, H, W), (B, 2, H, W) -> uint8 (B, 3, H, W)
    blue, red = (differences - 128).unbind(dim=1)
    added = torch.stack(
        [
            91881 * red + 32768 >> 16,
            -22554 * blue - 46802 * red + 32768 >> 16,
            116130 * blue + 32768 >> 16,
        ],
        dim=1,
    )
    return (bright + added).clamp(0, 255).to(torch.uint8)


def _halve(plane: Tensor) -> Tensor:  # float64 (B, C, H, W) -> (B, C, H / 2, W / 2), whole blocks wide
    """Means of 2 × 2 values, rounded down and up by turns along a row; what is missing repeats the last value."""
    height, width = plane.shape[-2:]
    if height % 2 or width % (2 * BLOCK):
        plane = pad(plane, (0, -width % (2 * BLOCK), 0, height % 2), mode="replicate")
    rows = plane[..., ::2, :] + plane[..., 1::2, :]
    sums = (rows[..., ::2] + rows[..., 1::2]).to(torch.int32)
    bias = torch.arange(sums.shape[-1], dtype=torch.int32, device=plane.device) % 2 + 1
    return (sums + bias >> 2).to(torch.float64)


def _double(plane: Tensor) -> Tensor:  # int32 (B, C, H, W) -> (B, C, 2 H, 2 W)
    """Three parts of the nearer value, one of the next; halves are rounded up and down by turns along a row."""
    above = torch.cat([plane[..., :1, :], plane[..., :-1, :]], dim=-2)
    below = torch.cat([plane[..., 1:, :], plane[..., -1:, :]], dim=-2)
    tall = torch.stack([3 * plane + above, 3 * plane + below], dim=-2).flatten(-3, -2)
    left = torch.cat([tall[..., :1], tall[..., :-1]], dim=-1)
    right = torch.cat([tall[..., 1:], tall[..., -1:]], dim=-1)
    return torch.stack([3 * tall + left + 8 >> 4, 3 * tall + right + 7 >> 4], dim=-1).flatten(-2)


@lru_cache(maxsize=64)
def _steps(table: tuple[tuple[int, ...], ...], quality: int, device: torch.device) -> Tensor:
    """Of a quality from 1 to 100: libjpeg's scaling of the tables."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((torch.tensor(table) * scale + 50) // 100).clamp(1, 255).to(device, torch.float32)


@lru_cache(maxsize=8)
def _matrix(device: torch.device) -> Tensor:
    return torch.tensor(TRANSFORM, dtype=torch.float64, device=device)


JPEG = Corruption(
    jpeg_compression,
    by_family(cifar=(80, 65, 58, 50, 40), tiny=(65, 58, 50, 40, 25), imagenet=(25, 18, 15, 10, 7)),
    "digital",
    random=False,
    levels=True,
    bounds=((1, 100),),
)
