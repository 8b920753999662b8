"""How equal the corruptions are to the published functions: every kind and size against stored outputs of those.

FOLDER holds ``corruption_parity_{32,64,224}.npz``. Kinds without randomness are compared value by value, in levels;
random ones by their laws: z of three numbers a severity (mean change, mean, standard deviation) and of the mean of
every pixel.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.timing import machine
from gossamer.corrupt import CORRUPTIONS, corrupt, frost_source

Array = np.ndarray[Any, Any]
SIZES = (32, 64, 224)
SEVERITIES = range(1, 6)
DRAWS = {32: 128, 64: 64, 224: 16}  # of our own, for each image, kind and severity
ROUNDING = 0.03  # of a stored mean, in levels: half precision


@dataclass(frozen=True)
class Difference:
    """Of two pictures, in levels: the largest, the mean, and the share of values that are at most 1 apart."""

    largest: int
    mean: float
    within: float


@dataclass(frozen=True)
class Scores:
    """Of one kind, size and severity: z of mean change, mean and standard deviation; rms of the pixels' z."""

    stats: tuple[float, ...]
    pixels: float


def read(folder: Path, size: int) -> dict[str, Array]:
    """The stored arrays of one size."""
    with np.load(folder / f"corruption_parity_{size}.npz") as file:
        return dict(file)


def kinds(stored: Mapping[str, Array]) -> list[str]:
    """The kinds that are both stored and here, in our order."""
    return [name for name in CORRUPTIONS if f"{name}_1" in stored or f"{name}_1_stats" in stored]


def is_random(stored: Mapping[str, Array], name: str) -> bool:
    return f"{name}_1_stats" in stored


def difference(stored: Mapping[str, Array], name: str, severity: int) -> Difference:
    """Ours against the stored pictures of a kind without randomness."""
    ours = corrupt(_tensor(stored["images"]), name, severity).permute(0, 2, 3, 1).numpy().astype(int)
    apart = np.abs(ours - stored[f"{name}_{severity}"])
    return Difference(int(apart.max()), float(apart.mean()), float((apart <= 1).mean()))


def scores(stored: Mapping[str, Array], name: str, severity: int, draws: int) -> Scores:
    """The law of our own draws against that of the stored ones."""
    images = stored["images"]
    repeated = _tensor(images).repeat(draws, 1, 1, 1)
    ours = corrupt(repeated, name, severity).permute(0, 2, 3, 1).numpy().reshape(draws, *images.shape)
    key = f"{name}_{severity}"
    measured = np.stack([_three(draw, images) for draw in ours])
    centre, error = stored[f"{key}_stats"][:3], stored[f"{key}_stats"][3:]
    z = (measured.mean(axis=0) - centre) / np.sqrt(error**2 + measured.var(axis=0, ddof=1) / draws)
    block = images.shape[1] // stored[f"{key}_mean"].shape[1]  # at 224 pixels means of 4 x 4 pixels are stored
    mean, std = (_blocks(part, block) for part in (ours.mean(axis=0), ours.std(axis=0, ddof=1)))
    theirs = stored[f"{key}_std"].astype(float) ** 2 / _stored_draws(stored, name)
    apart = (mean - stored[f"{key}_mean"]) / np.sqrt(theirs + std**2 / draws + ROUNDING**2)
    return Scores(tuple(float(one) for one in z), float(np.sqrt((apart**2).mean())))


def _three(drawn: Array, clean: Array) -> Array:
    """Mean change, mean and standard deviation, averaged over the images."""
    drawn, clean = (part.reshape(len(part), -1).astype(float) for part in (drawn, clean))
    return np.array([np.abs(drawn - clean).mean(), drawn.mean(), drawn.std(axis=1).mean()])


def _blocks(pixels: Array, block: int) -> Array:
    count, height, width, channels = pixels.shape
    return pixels.reshape(count, height // block, block, width // block, block, channels).mean(axis=(2, 4))


def _stored_draws(stored: Mapping[str, Array], name: str) -> int:
    return int(dict(entry.split("=") for entry in stored["draws"])[name])


def _tensor(images: Array) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def rows(folder: Path, size: int, draws: int) -> list[tuple[str, ...]]:
    """Of one size: name, then largest and mean difference and share within 1, or largest z and rms of pixels' z."""
    stored = read(folder, size)
    return [
        _random_row(stored, name, draws) if is_random(stored, name) else _row(stored, name) for name in kinds(stored)
    ]


def _row(stored: Mapping[str, Array], name: str) -> tuple[str, ...]:
    found = [difference(stored, name, severity) for severity in SEVERITIES]
    mean = sum(one.mean for one in found) / len(found)
    within = sum(one.within for one in found) / len(found)
    return name, str(max(one.largest for one in found)), f"{mean:.4f}", f"{within:.3%}", "", ""


def _random_row(stored: Mapping[str, Array], name: str, draws: int) -> tuple[str, ...]:
    found = [scores(stored, name, severity, draws) for severity in SEVERITIES]
    largest = max(abs(z) for one in found for z in one.stats)
    pixels = max(one.pixels for one in found)
    return name, "", "", "", f"{largest:.2f}", f"{pixels:.2f}"


def report(folder: Path, draws: Mapping[int, int] = DRAWS, sizes: tuple[int, ...] = SIZES) -> Table:
    """One table of all kinds and sizes; each cell is the worst, or the mean, of the five severities."""
    table = Table(title="corruptions against the published functions, severities 1 to 5")
    table.caption = (
        "in levels: largest and mean difference, share within 1; laws: largest |z| of 15, rms z of pixels; "
        f"frost: {frost_source()}"
    )
    for head in ("kind", "pixels", "largest", "mean", "within 1", "|z|", "pixels' z"):
        table.add_column(head, justify="left" if head == "kind" else "right")
    found = {size: rows(folder, size, draws[size]) for size in sizes}
    for same in zip(*found.values(), strict=True):
        for size, (name, *cells) in zip(sizes, same, strict=True):
            table.add_row(name if size == sizes[0] else "", str(size), *cells, end_section=size == sizes[-1])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds corruption_parity_{32,64,224}.npz")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    console = Console(width=100)
    console.print(machine())
    console.print(report(folder))


if __name__ == "__main__":
    main()
