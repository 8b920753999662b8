"""Noise of 8-bit pictures as a law: for each of 256 input levels, how likely each of 256 output levels is.

Noise that meets every value for itself, and whose result is truncated to a level, is fully described by such a table.
Drawing the output level from it is exact, costs the same for every noise, and needs no normal and no Poisson numbers:
one number of 31 random bits and one look into an alias table a value (Walker 1977, doi:10.1145/355744.355749).
"""

import torch
from torch import Tensor

from gossamer.corrupt.streams import Streams

LEVELS = 256
FRACTION = 23  # bits beside the 8 that choose a column: probabilities are met to 2⁻³¹
TINY = 1e-12  # shares this near to a full column are rounding: filling one from another would undo what was done


def alias(law: Tensor) -> Tensor:  # (256, 256) -> (256, 256)
    """The alias table of a law.

    A column c stands for two outcomes: c itself, with probability t / 2²³, and its alias. Every column is equally
    likely.

    Args:
        law: float64, probability of each output level (column) for each input level (row); rows sum to one.

    Returns:
        int32, t in the upper bits and the alias in the lower eight.

    Example:
        >>> always_seven = torch.zeros(256, 256, dtype=torch.float64)
        >>> always_seven[:, 7] = 1
        >>> (alias(always_seven) & 255).unique().tolist()
        [7]
    """
    share = law * LEVELS  # of a column; those beyond 1 fill up the ones below
    other = torch.arange(LEVELS).repeat(LEVELS, 1)
    own = torch.ones_like(share)
    for _ in range(LEVELS - 1):  # each round fills the emptiest column of every row, for good
        least, low = share.min(dim=1, keepdim=True)
        high = share.argmax(dim=1, keepdim=True)
        missing = torch.where(least < 1 - TINY, 1 - least, 0.0)
        own.scatter_add_(1, low, -missing)
        other.scatter_(1, low, torch.where(missing > 0, high, other.gather(1, low)))
        share.scatter_add_(1, high, -missing)
        share.scatter_(1, low, 1.0)
    threshold: Tensor = (own * 2**FRACTION).round().clamp(0, 2**FRACTION - 1).to(torch.int32)
    return threshold << 8 | other.to(torch.int32)


def draw(levels: Tensor, table: Tensor, streams: Streams) -> Tensor:  # (B, C, H, W) -> (B, C, H, W)
    """Another level for every value, drawn from the law of its own level.

    Args:
        levels: uint8.
        table: the law's alias table.
        streams: of the images.

    Returns:
        Levels, uint8.
    """
    bits = streams.bits(*levels.shape[1:])
    place = levels.to(torch.int32).mul_(LEVELS).add_(bits & (LEVELS - 1))
    entry = table.to(levels.device).take(place.to(torch.int64))
    column, other = bits.to(torch.uint8), entry.to(torch.uint8)  # the lower eight bits
    keep = (bits | (LEVELS - 1)) < entry  # compares the upper bits; torch.where would take 7 µs of an image's 20
    return other.add_((column - other).mul_(keep))  # modulo 256
