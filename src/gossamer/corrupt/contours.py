"""Edges, distances to them and histograms, as the spatter of the published scripts needs them of OpenCV.

All on batches of 8-bit pictures (B, H, W), in whole numbers that single precision holds exactly: the results do not
depend on the device nor on the batch.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

TANGENT = 13573  # of 22.5°, times 2¹⁵
UNIT = 2**16  # of a distance
STRAIGHT, DIAGONAL, KNIGHT = UNIT, 91750, 143976  # lengths 1, 1.4 and 2.1969 of a step (Borgefors 1986, 5 × 5)


def box(pictures: Tensor, mode: str = "reflect") -> Tensor:
    """Sums of 3 × 3 values; the border is mirrored about the outermost pixels."""
    wide = pad(pictures[:, None], (1, 1, 1, 1), mode=mode)[:, 0]
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def canny(pictures: Tensor, low: float, high: float) -> Tensor:  # (B, H, W) levels -> (B, H, W) bool
    """Edges of Canny (1986): where the gradient is largest across the edge and connected to a strong one.

    Args:
        pictures: whole numbers.
        low: an edge has a gradient |dx| + |dy| (Sobel, 3 × 3) above this.
        high: and somewhere along it one above this.

    Returns:
        True on edges.

    Example:
        >>> step = torch.zeros(1, 5, 6)
        >>> step[:, :, 3:] = 255
        >>> canny(step, 50, 150)[0, 2].int()  # of two equal gradients the first
        tensor([0, 0, 1, 0, 0, 0], dtype=torch.int32)
    """
    across, down = _sobel(pictures)
    size = across.abs() + down.abs()
    edges = (size > low) & _ridge(across, down, size)
    return _connected(edges & (size > high), edges)


def _sobel(pictures: Tensor) -> tuple[Tensor, Tensor]:
    wide = pad(pictures[:, None].float(), (1, 1, 1, 1), mode="replicate")[:, 0]
    rows = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    columns = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
    return rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]


def _ridge(across: Tensor, down: Tensor, size: Tensor) -> Tensor:
    """Larger than both neighbours along the gradient, which is rounded to 45°; an equal one may follow it."""
    wide = pad(size, (1, 1, 1, 1))
    height, width = size.shape[1:]

    def beside(y: int, x: int) -> Tensor:
        return wide[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]

    x, y = across.abs(), down.abs() * 2**15
    flat, steep = y < x * TANGENT, y > x * (TANGENT + 2**16)  # tan 67.5° is tan 22.5° + 2
    horizontal = (size > beside(0, -1)) & (size >= beside(0, 1))
    vertical = (size > beside(-1, 0)) & (size >= beside(1, 0))
    falling = (size > beside(-1, -1)) & (size > beside(1, 1))
    rising = (size > beside(-1, 1)) & (size > beside(1, -1))
    opposed = (across < 0) ^ (down < 0)
    slanted = (rising & opposed) | (falling & ~opposed)
    return (horizontal & flat) | (vertical & steep) | (slanted & ~flat & ~steep)


def _connected(found: Tensor, allowed: Tensor) -> Tensor:
    """What of ``allowed`` hangs together with ``found``, corners included."""
    while True:
        wide = pad(found, (1, 1, 1, 1))
        rows = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
        grown = (rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]) & allowed
        if torch.equal(grown, found):
            return found
        found = grown


def distance(edges: Tensor, largest: int) -> Tensor:  # (B, H, W) bool -> (B, H, W)
    """Length of the shortest way to an edge by straight, diagonal and knight's moves, clipped.

    It grows with the rows that lie between, so that of every column only the nearest edge counts.

    Args:
        edges: True on edges.
        largest: in pixels; at most 32.

    Returns:
        In units of 2⁻¹⁶ pixel.

    Example:
        >>> edges = torch.zeros(1, 1, 3, dtype=torch.bool)
        >>> edges[:, :, 0] = True
        >>> distance(edges, 20) / UNIT
        tensor([[[0., 1., 2.]]])
    """
    away = _rows_away(edges)
    width = edges.shape[2]
    nearest = (away * STRAIGHT).clamp(max=largest * UNIT)
    wide = pad(away, (largest, largest), value=2.0 * largest)
    for columns in range(1, largest):
        if nearest.max() <= columns * STRAIGHT:  # nothing that far to the side is nearer
            break
        left, right = (wide[:, :, largest + side : largest + side + width] for side in (-columns, columns))
        nearest = nearest.minimum(_length(columns, left.minimum(right)))
    return nearest


def _rows_away(edges: Tensor) -> Tensor:
    """Rows to the nearest edge of the column, if less than 32; else 32 or more."""
    away = torch.where(edges, 0.0, 64.0)
    for step in (1, 2, 4, 8, 16):
        wide = pad(away, (0, 0, step, step), value=64.0)
        away = away.minimum(wide[:, : -2 * step].minimum(wide[:, 2 * step :]) + step)
    return away


def _length(columns: int, rows: Tensor) -> Tensor:
    """Of the shortest way over so many columns and rows: a convex function, the largest of four linear ones."""
    slopes = (
        KNIGHT - 2 * STRAIGHT,
        2 * DIAGONAL - KNIGHT,
        KNIGHT - DIAGONAL,
        STRAIGHT,
    )  # for a row, steeper and steeper
    lines = [(rows * slope).add_(columns * other) for slope, other in zip(slopes, reversed(slopes), strict=True)]
    return lines[0].maximum(lines[1]).maximum(lines[2]).maximum(lines[3])


def equalize(pictures: Tensor, levels: int) -> Tensor:  # (B, H, W) -> (B, H, W)
    """Spread the histogram over 0 to 255, the lowest level that occurs to 0; a picture of one level stays.

    Args:
        pictures: whole numbers from 0 to below ``levels``.
        levels: how many there are.

    Returns:
        Whole numbers.

    Example:
        >>> equalize(torch.tensor([[[2.0, 2.0, 3.0, 5.0]]]), 21)
        tensor([[[  0.,   0., 128., 255.]]])
    """
    flat = pictures.flatten(1).to(torch.int64)
    counts = torch.zeros(len(flat), levels, device=flat.device).scatter_add_(
        1, flat, torch.ones_like(pictures).flatten(1)
    )
    upto = counts.cumsum(dim=1)
    lowest = counts.gather(1, flat.amin(dim=1, keepdim=True))
    rest = flat.shape[1] - lowest
    spread = ((upto - lowest).clamp(min=0) * (255 / rest)).round()
    table = torch.where(rest == 0, torch.arange(levels, device=flat.device, dtype=spread.dtype), spread)
    return table.gather(1, flat).view(pictures.shape)
