"""What is to be measured along a training."""

from dataclasses import dataclass

from gossamer.core.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What is measured along a training.

    Args:
        every: steps between two measurements of the gradient norm; mask updates are measured besides.
        images: fixed training images it is measured on, the same in all runs on the same data (P3's code: 1000).
        snapshots: mask updates before and after which weights and masks are kept, by their step.

    Raises:
        SettingError: a value below 1, or a negative step.

    Example:
        >>> Trace(snapshots=(500,)).images
        1000
    """

    every: int = 100
    images: int = 1000
    snapshots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if self.every < 1 or self.images < 1:
            raise SettingError(f"expected every ≥ 1 and images ≥ 1 of a trace, got {self.every} and {self.images}")
        if min(self.snapshots, default=0) < 0:
            raise SettingError(f"expected snapshots at steps of 0 or more, got {self.snapshots}")
