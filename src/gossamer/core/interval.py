"""Wilson's interval of a share: how far an accuracy over so many images can be trusted."""

from math import sqrt
from statistics import NormalDist

from gossamer.core.errors import SettingError


def wilson_interval(share: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927, JASA 22:209).

    (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n); it stays in [0, 1] and has a width at p = 0 and p = 1.

    Args:
        share: p, in [0, 1].
        count: n, at least 1.
        confidence: between 0 and 1.

    Returns:
        Its ends, in [0, 1].

    Example:
        >>> tuple(round(end, 3) for end in wilson_interval(0.5, 1000))
        (0.469, 0.531)
    """
    z = quantile(confidence)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return 0.0 if share == 0 else middle - half, 1.0 if share == 1 else middle + half  # exactly, at the ends


def quantile(confidence: float) -> float:
    """The z with the share ``confidence`` of a standard normal in [-z, z].

    Args:
        confidence: between 0 and 1.

    Returns:
        1.96 for 0.95.

    Raises:
        SettingError: it is no such number.
    """
    if not 0 < confidence < 1:
        raise SettingError(f"expected a confidence between 0 and 1, got {confidence}; pass for instance 0.95")
    return NormalDist().inv_cdf((1 + confidence) / 2)
