"""What a measurement of robustness found: means, gains over a baseline, mCE."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from gossamer.core.errors import DataError
from gossamer.core.interval import wilson_interval
from gossamer.corrupt.table import CORRUPTIONS, STANDARD

Cell = tuple[str, int]  # kind, severity
CLEAN: Cell = ("clean", 0)


@dataclass(frozen=True)
class Robustness:
    """Accuracies in [0, 1] by kind and severity; every mean says over what.

    Args:
        accuracy: by kind and severity; ``("clean", 0)`` is that of clean images, if measured.
        count: images behind each number.
        source: ``"corrupted in memory"``, ``"arrays"`` or what the files are.
        family: whose constants, if known.
        seed: of the random kinds, if known.
        frost: which pictures of ice, if there are any and it is known.
        baseline: accuracies of another model, if given.

    Raises:
        DataError: a baseline without one of the kinds and severities.

    Example:
        >>> found = Robustness({("fog", 1): 0.6, ("fog", 2): 0.4}, 100, baseline={("fog", 1): 0.5, ("fog", 2): 0.5})
        >>> found.mean, round(found.gain["fog", 1], 3), found.mce
        (0.5, 0.2, 1.0)
    """

    accuracy: Mapping[Cell, float]
    count: int
    source: str = "corrupted in memory"
    family: str | None = None
    seed: int | None = None
    frost: str | None = None
    baseline: Mapping[Cell, float] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self._cells:
            raise DataError("expected the accuracy of at least one kind and severity, got none")
        if self.baseline is not None and (missing := [cell for cell in self._cells if cell not in self.baseline]):
            kind, severity = missing[0]
            raise DataError(
                f"expected a baseline with the same kinds and severities, but {len(missing)} are missing in it, such "
                f"as {kind} at severity {severity}; measure the baseline with the same settings"
            )

    @property
    def _cells(self) -> list[Cell]:
        return [cell for cell in self.accuracy if cell != CLEAN]

    @property
    def clean(self) -> float | None:
        """Accuracy on clean images, if measured."""
        return self.accuracy.get(CLEAN)

    @property
    def kinds(self) -> tuple[str, ...]:
        """In the order of measurement."""
        return tuple(dict.fromkeys(kind for kind, _ in self._cells))

    @property
    def by_kind(self) -> dict[str, float]:
        """Mean over severities of each kind."""
        return {kind: fmean(self.accuracy[cell] for cell in self._cells if cell[0] == kind) for kind in self.kinds}

    @property
    def by_group(self) -> dict[str, float]:
        """Mean over the kinds of each group: noise, blur, weather, digital, extra, bar; other sets' kinds are other."""
        groups: dict[str, list[float]] = {}
        for kind, value in self.by_kind.items():
            groups.setdefault(CORRUPTIONS[kind].group if kind in CORRUPTIONS else "other", []).append(value)
        return {group: fmean(values) for group, values in groups.items()}

    @property
    def mean(self) -> float:
        """Mean over severities, then over all measured kinds: the robustness accuracy of arXiv:2410.03030."""
        return fmean(self.by_kind.values())

    @property
    def standard_mean(self) -> float | None:
        """Mean over the 15 standard kinds, None if they were not all measured."""
        return fmean(self.by_kind[kind] for kind in STANDARD) if set(STANDARD) <= set(self.kinds) else None

    @property
    def means(self) -> str:
        """What the mean is over, such as ``"19 kinds (15 standard, 4 extra)"``."""
        sizes = {"standard": 0, "extra": 0, "bar": 0, "other": 0}
        for kind in self.kinds:
            group = CORRUPTIONS[kind].group if kind in CORRUPTIONS else "other"
            sizes[group if group in sizes else "standard"] += 1
        parts = ", ".join(f"{size} {name}" for name, size in sizes.items() if size)
        return f"{len(self.kinds)} kind{'s' if len(self.kinds) > 1 else ''} ({parts})"

    @property
    def gain(self) -> dict[Cell, float | None]:
        """(accuracy - baseline) / baseline by kind and severity (arXiv:2410.03030, Fig. 3); None over 0."""
        base = self.baseline or {}
        return {
            cell: (self.accuracy[cell] - base[cell]) / base[cell] if base[cell] else None
            for cell in self._cells
            if cell in base
        }

    @property
    def mce(self) -> float | None:
        """Mean corruption error (Hendrycks & Dietterich 2019, section 4.2), 1 for the baseline itself.

        Σ errors / Σ baseline errors over the severities, then the mean over the 15 standard kinds, or over all
        measured ones if not all 15 were measured. None without a baseline, or where a baseline makes no error. The
        published one of ImageNet-C is AlexNet; CIFAR has none.
        """
        if self.baseline is None:
            return None
        ratios = []
        for kind in STANDARD if self.standard_mean is not None else self.kinds:
            cells = [cell for cell in self._cells if cell[0] == kind]
            expected = sum(1 - self.baseline[cell] for cell in cells)
            if expected <= 0:
                return None
            ratios.append(sum(1 - self.accuracy[cell] for cell in cells) / expected)
        return fmean(ratios)

    def rows(self) -> list[dict[str, str | int | float | None]]:
        """A dictionary for each kind and severity, clean images first: for tables and figures."""
        gains = self.gain
        return [self._row(cell, gains.get(cell)) for cell in sorted(self.accuracy, key=lambda cell: cell != CLEAN)]

    def _row(self, cell: Cell, gain: float | None) -> dict[str, str | int | float | None]:
        low, high = wilson_interval(self.accuracy[cell], self.count)
        group = CORRUPTIONS[cell[0]].group if cell[0] in CORRUPTIONS else "clean" if cell == CLEAN else "other"
        return {
            "kind": cell[0],
            "group": group,
            "severity": cell[1],
            "accuracy": self.accuracy[cell],
            "low": low,
            "high": high,
            "gain": gain,
        }

    def __str__(self) -> str:
        parts = [self.source]
        parts += [f"constants of {self.family}"] if self.family else []
        parts += [f"seed {self.seed}"] if self.seed is not None else []
        parts += [f"frost from {self.frost}"] if self.frost else []
        lines = [f"robustness over {self.count:,} images, {', '.join(parts)}"]
        lines += [f"clean {self.clean:.2%}"] if self.clean is not None else []
        lines += [f"{kind} {value:.2%}" for kind, value in self.by_kind.items()]
        lines += [f"mean of {self.means} {self.mean:.2%}"]
        if self.standard_mean is not None and len(self.kinds) > len(STANDARD):
            lines += [f"mean of the {len(STANDARD)} standard kinds {self.standard_mean:.2%}"]
        lines += [f"mCE against the given baseline {self.mce:.2%}"] if self.mce is not None else []
        return "\n".join(lines)
