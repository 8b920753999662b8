"""What a user wants to know of a run."""

from dataclasses import dataclass
from pathlib import Path

from gossamer.core.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of an analysis.

    Args:
        parts: those asked for by name; none is the cheap ones.
        images: training images, and as many test images, that are measured on.
        other: folder of the run at the other end of the interpolation.
        beside: folders of runs that the spectrum is shown beside.
        heat_map: whether the spectrum has its Fourier heat map.
        exact: whether the whole Hessian is decomposed however large it is.
        snapshots: whether the Hessian is taken before and after the mask updates around which weights were kept.
        batch_size: images at once; it bounds the memory.
        seed: of what is drawn: starting vectors, signs of noise.

    Raises:
        SettingError: fewer than one image, or a negative seed.

    Example:
        >>> Asked().images
        2000
    """

    parts: tuple[str, ...] = ()
    images: int = 2000
    other: Path | None = None
    beside: tuple[Path, ...] = ()
    heat_map: bool = False
    exact: bool = False
    snapshots: bool = False
    batch_size: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        if self.images < 1 or self.batch_size < 1:
            raise SettingError(f"expected images ≥ 1 and batch_size ≥ 1, got {self.images} and {self.batch_size}")
        if self.seed < 0:
            raise SettingError(f"expected a seed of 0 or more, got {self.seed}")
