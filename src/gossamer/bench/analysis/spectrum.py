"""Which frequencies a network needs, and which its first filters look for (P2, Figure 7; Yin et al. 2019)."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from gossamer.analyze.frequency.filters import FilterSpectra, filter_spectra
from gossamer.analyze.frequency.fourier import Keep, frequencies
from gossamer.analyze.frequency.heat_map import fourier_heat_map
from gossamer.analyze.frequency.radius import radius_accuracy
from gossamer.bench.analysis.asked import Asked
from gossamer.bench.analysis.found import Found, Rows
from gossamer.bench.analysis.opened import Opened
from gossamer.bench.analysis.progress import Advance
from gossamer.core.errors import SettingError
from gossamer.figure.heat import Matrix, heat
from gossamer.figure.lines import Curve, Panel, lines

KEPT: dict[Keep, str] = {"low": "without frequencies beyond r", "high": "without frequencies up to r"}
HEAT_IMAGES = 1000  # of the heat map at most: each costs H·W / 2 forward passes


def settings(run: Opened, asked: Asked) -> dict[str, Any]:
    """Test images, and whether there is a heat map."""
    heat_map = {"heat_images": min(asked.images, HEAT_IMAGES), "seed": asked.seed} if asked.heat_map else {}
    return {"images": asked.images, "heat_map": asked.heat_map, **heat_map}


def find(run: Opened, asked: Asked, advance: Advance) -> Found:
    """Radius-accuracy both ways, power of the first filters, and the heat map if it is wanted.

    Args:
        run: whose.
        asked: images, and the heat map.
        advance: told what has been done.

    Returns:
        Tables ``summary``, ``radius``, ``filters``, ``profile`` and ``heat_map``; pictures of the mean
        power and the heat map.
    """
    advance(0, 3 if asked.heat_map else 2)
    radius, notes = [], []
    test = run.test(asked.images)
    for keep in KEPT:
        radius += radius_accuracy(run.model, test, keep=keep, batch_size=asked.batch_size).rows()
        advance()
    tables: dict[str, Any] = {
        "summary": _summary(radius),
        "radius": radius,
        "filters": [],
        "profile": [],
        "heat_map": [],
    }
    pictures: dict[str, Any] = {}
    try:
        spectra = filter_spectra(run.model, masks=run.alive)
        tables |= {"filters": spectra.rows(), "profile": _profile(spectra)}
        pictures["filters"] = {"layer": spectra.layer, "power": spectra.mean.tolist()}
    except SettingError as error:
        notes.append(f"no power spectra of filters: {error}")
    if asked.heat_map:
        chosen = settings(run, asked)
        images = run.test(chosen["heat_images"])
        harm = fourier_heat_map(run.model, images, images=None, seed=asked.seed, batch_size=asked.batch_size)
        tables["heat_map"] = harm.rows()
        pictures["heat_map"] = {"error": harm.error.tolist(), "clean": harm.clean_error, "eps": harm.eps}
        advance()
    return Found(tables, notes, pictures)


def draw(found: Mapping[str, Found], title: str, stem: Path) -> list[Path]:
    """All networks in one figure each.

    Args:
        found: what ``find`` gave, by the name of the network.
        title: of the run.
        stem: path without ending.

    Returns:
        The files.
    """
    panels = [
        Panel(
            curves=[_radius(name, each, keep) for name, each in found.items()],
            x="radius r (cycles per image)", y="accuracy (%)", title=words,
        )
        for keep, words in KEPT.items()
    ]  # fmt: skip
    profiles = [(name, each.tables["profile"]) for name, each in found.items() if each.tables["profile"]]
    if profiles:
        own = [
            Curve(label=name, x=[row["frequency"] for row in rows], y=[row["power"] for row in rows])
            for name, rows in profiles
        ]
        words = "first filters: share of the power"
        panels.append(Panel(curves=own, x="frequency (cycles per pixel)", y="power / mean power", title=words, low=0))
    images = next(iter(found.values())).tables["radius"][0]["images"]
    paths = lines(panels, f"{title}\n{images:,} test images", stem)
    for what, each in _pictures(found, title).items():
        paths += heat(stem=stem.with_name(f"{stem.name}-{what}"), **each)
    return paths


def _summary(radius: Rows) -> Rows:
    """A row each way: the mean of the curve over its radii, and where it crosses half of the clean accuracy."""
    rows = []
    for keep in KEPT:
        own = [row for row in radius if row["keep"] == keep]
        clean, low = own[0]["clean_accuracy"], keep == "low"
        crossed = (row["radius"] for row in own if (row["accuracy"] >= clean / 2) == low)
        mean = fmean(row["accuracy"] for row in own)
        rows.append({"keep": keep, "clean_accuracy": clean, "mean_accuracy": mean, "half_radius": next(crossed, None)})
    return rows


def _radius(name: str, found: Found, keep: Keep) -> Curve:
    rows = [row for row in found.tables["radius"] if row["keep"] == keep]
    return Curve(label=name, x=[row["radius"] for row in rows], y=[100 * row["accuracy"] for row in rows])


def _profile(spectra: FilterSpectra) -> list[dict[str, float]]:
    """Mean power over rings of frequencies up to the highest of a side, in units of the mean over the plane."""
    side, mean = spectra.mean.shape[-1], float(spectra.mean.mean()) or 1.0
    rings = spectra.profile().tolist()[: side // 2 + 1]
    return [{"frequency": ring / side, "power": power / mean} for ring, power in enumerate(rings)]


def _pictures(found: Mapping[str, Found], title: str) -> dict[str, dict[str, Any]]:
    pictures: dict[str, dict[str, Any]] = {}
    maps = {name: each.pictures["heat_map"] for name, each in found.items() if "heat_map" in each.pictures}
    if maps:
        eps = next(iter(maps.values()))["eps"]
        pictures["heat_map"] = {
            "matrices": [
                Matrix(values=[[100 * one for one in row] for row in each["error"]], extent=_extent(each["error"]),
                       title=f"{name}\nclean {100 * each['clean']:.1f} %")
                for name, each in maps.items()
            ],
            "title": f"{title}\nerror under noise of one frequency, of l2 norm {eps:g} in each channel",
            "x": "horizontal frequency", "y": "vertical frequency", "bar": "error (%)",
        }  # fmt: skip
    powers = {name: each.pictures["filters"] for name, each in found.items() if "filters" in each.pictures}
    if powers:
        layer = next(iter(powers.values()))["layer"]
        pictures["filters"] = {
            "matrices": [
                Matrix(values=each["power"], title=name, extent=_extent(each["power"], len(each["power"])))
                for name, each in powers.items()
            ],
            "title": f"{title}\nmean power spectrum of the filters of {layer}",
            "x": "horizontal (cycles per pixel)", "y": "vertical (cycles per pixel)", "bar": "power",
            "together": False,
        }  # fmt: skip
    return pictures


def _extent(plane: Any, unit: int = 1) -> tuple[float, float, float, float]:
    """Edges of the cells of a centred plane, the first row, the lowest frequency, on top."""
    down, across = (frequencies(size).tolist() for size in (len(plane), len(plane[0])))
    edges = across[0] - 0.5, across[-1] + 0.5, down[-1] + 0.5, down[0] - 0.5
    left, right, bottom, top = (edge / unit for edge in edges)
    return left, right, bottom, top
