"""What was found of a trained network: tables on the screen, a figure, and the same numbers as CSV."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from gossamer.attack import paired
from gossamer.bench.store import RunFolder
from gossamer.corrupt import Robustness
from gossamer.figure.grid import grid

Found = Mapping[str, Any]  # of one attack, as the record keeps it


def tell_corruptions(console: Console, found: Robustness, title: str, stem: Path) -> list[Path]:
    """Print accuracies by kind and severity, draw them and write them.

    Args:
        console: where to print.
        found: the accuracies.
        title: data and network in words.
        stem: path of the files without ending.

    Returns:
        The files.
    """
    severities = sorted({severity for _, severity in found.accuracy if severity})
    table = Table(title=f"accuracy %, {found.source}", box=box.SIMPLE_HEAD, title_justify="left")
    heads = ["kind", *(f"severity {each}" for each in severities), "mean", *(["gain %"] if found.baseline else [])]
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left", no_wrap=True)
    for kind, mean in found.by_kind.items():
        cells = [f"{100 * found.accuracy[kind, each]:.2f}" for each in severities]
        table.add_row(kind, *cells, f"{100 * mean:.2f}", *([_gain(found, kind)] if found.baseline else []))
    console.print(table)
    about = str(found).split("\n")[0]
    console.print(about + _clean(found))
    console.print(
        f"mean of {found.means} {found.mean:.2%}" + (f"; mCE {found.mce:.2%}" if found.mce is not None else "")
    )
    console.print(
        f"Each accuracy is of {found.count:,} images: its 95 % interval is in the CSV file. Means have none: they are "
        "of the same images, corrupted in many ways."
    )
    return [_written(stem, found.rows()), *_drawn(found, severities, f"{title}\n{about}{_clean(found)}", stem)]


def _clean(found: Robustness) -> str:
    """Accuracy on clean images with Wilson's interval, if measured."""
    if found.clean is None:
        return ""
    (row,) = [row for row in found.rows() if row["kind"] == "clean"]
    return f"; clean {found.clean:.2%} [{100 * float(row['low'] or 0):.2f}, {100 * float(row['high'] or 0):.2f}]"


def _drawn(found: Robustness, severities: Sequence[int], title: str, stem: Path) -> list[Path]:
    """A row a kind, a column a severity, and the means; colours from 0 to 100, so that networks can be compared."""
    shares = {kind: [found.accuracy[kind, each] for each in severities] for kind in found.kinds}
    values = [[100 * share for share in (*own, found.by_kind[kind])] for kind, own in shares.items()]
    columns = [*map(str, severities), "mean"]
    title = f"{title}; mean of {found.means} {found.mean:.2%}"
    return grid(values, found.kinds, columns, f"accuracy %, {title}", stem, axis="severity", low=0.0, high=100.0)


def _gain(found: Robustness, kind: str) -> str:
    """Mean relative gain over the baseline, P2's measure."""
    gains = [gain for (name, _), gain in found.gain.items() if name == kind and gain is not None]
    return f"{100 * sum(gains) / len(gains):+.2f}" if gains else ""


def tell_attacks(console: Console, found: Mapping[str, Found], against: Mapping[str, Found], stem: Path) -> list[Path]:
    """Print accuracies under attack and write them.

    Args:
        console: where to print.
        found: by the attack in words.
        against: those of another network on the same images; empty without one.
        stem: path of the file without ending.

    Returns:
        The file.
    """
    table = Table(title="accuracy %, with Wilson's 95 % interval", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("attack", no_wrap=True)
    for head in ("images", "clean", "robust", *(("robust, against the other", "McNemar p") if against else ())):
        table.add_column(head, justify="right")
    rows = []
    for text, each in found.items():
        more = _compared(each, against[text]) if against else {}
        table.add_row(text, f"{each['images']:,}", _share(each["clean"]), _share(each["robust"]), *_told(more))
        rows.append({"attack": text, "images": each["images"], "seed": each["seed"], **_numbers(each), **more})
    console.print(table)
    for text, each in found.items():
        for warning in each["warnings"]:
            console.print(f"Beware, {text}: {warning}")
    return [_written(stem, rows)]


def _numbers(each: Found) -> dict[str, float]:
    names = [f"{name}{end}" for name in ("clean", "robust") for end in ("", "_low", "_high")]
    return dict(zip(names, [*each["clean"], *each["robust"]], strict=True))


def _share(numbers: Sequence[float]) -> str:
    value, low, high = (100 * number for number in numbers)
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _compared(own: Found, other: Found) -> dict[str, float]:
    """The paired difference on the same images."""
    told = paired(right(own, "robust_right"), right(other, "robust_right"))
    ends = {"difference": told.difference, "difference_low": told.low, "difference_high": told.high}
    return {**ends, "mcnemar_p": told.p_value}


def _told(compared: Mapping[str, float]) -> list[str]:
    if not compared:
        return []
    middle, low, high = (f"{100 * compared[f'difference{end}']:+.2f}" for end in ("", "_low", "_high"))
    return [f"{middle} [{low}, {high}]", f"{compared['mcnemar_p']:.2g}"]


def _written(stem: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file = stem.with_name(f"{stem.name}.csv")
    RunFolder(file.parent).write(file.name, pd.DataFrame(rows).to_csv(index=False).encode())
    return file


# right or wrong, image by image, as text


def packed(bits: torch.Tensor) -> str:
    """Bits of images as text, eight images six letters at most.

    Args:
        bits: bool (N,).

    Returns:
        Base 64.

    Example:
        >>> packed(torch.tensor([True, False, True]))
        'oA=='
    """
    return base64.b64encode(np.packbits(bits.cpu().numpy()).tobytes()).decode()


def right(found: Found, name: str) -> torch.Tensor:
    """Which images were right.

    Args:
        found: of one attack.
        name: ``"clean_right"`` or ``"robust_right"``.

    Returns:
        Bool (N,).
    """
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found[name]), np.uint8), count=found["images"])
    return torch.from_numpy(bits).bool()
