"""``gossamer score``: how hard every training image is, how far seeds and scores agree, and how the images look."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.table import Table

from gossamer.bench import show
from gossamer.bench.place import Bench, environment
from gossamer.bench.prepare import prepare
from gossamer.bench.score import Scored, score
from gossamer.bench.sheets import hard_sheet
from gossamer.bench.shown import name_of
from gossamer.bench.spec import RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import MissingError, SettingError, UnknownNameError
from gossamer.figure.grid import grid
from gossamer.hardness import SCORES, rank_correlations

FORMATS = ("npz", "parquet")


def score_all(
    console: Console, bench: Bench, spec: RunSpec, names: Sequence[str], models: int, epochs: int | None, form: str
) -> Path:
    """Score the training set by each name, print how far they agree, write scores, provenance and sheets.

    Args:
        console: where to print.
        bench: where runs happen.
        spec: a dense run: model, training settings and data of the scoring networks.
        names: of the scores.
        models: networks that are averaged.
        epochs: after which they are asked; None as in ``score``.
        form: ``"npz"`` or ``"parquet"``.

    Returns:
        The folder of all that was written.
    """
    names = list(dict.fromkeys(names))
    check(names, models, epochs, form)
    with show.Bars(console, len(names)) as bars:
        prepared = prepare(spec, replace(bench, watch=bars))
        place, scored = prepared.bench, []
        for name in names:
            scored.append(score(spec, place, name, models=models, epochs=epochs))
            bars.advance()
    digest = sha256(" ".join(key for each in scored for key in (each.name, *each.runs)).encode()).hexdigest()[:12]
    folder = RunFolder(bench.out / f"scores-{spec.model}-{digest}".replace(":", "_"))
    epochs_of = f"{spec.train.epochs} epoch{'s' if spec.train.epochs > 1 else ''}"
    title = (
        f"{bench.data.label}, {spec.model}, {epochs_of}; {prepared.words}; {models} network{'s' if models > 1 else ''}"
    )
    paths = [_write(folder, place, scored, form), *_sheets(place, scored, title, folder.path, spec.train.epochs)]
    folder.write_json("provenance.json", _provenance(place, scored, title))
    paths += _agreement(console, scored, title, folder)
    for path in [folder.path / "provenance.json", *paths]:
        console.print(f"{path}", soft_wrap=True)
    return folder.path


def check(names: Sequence[str], models: int, epochs: int | None, form: str) -> None:
    """Refuse before hours of training what could not be scored or written after it.

    Args:
        names: of the scores.
        models: networks that are averaged.
        epochs: after which they are asked.
        form: of the file.

    Raises:
        UnknownNameError: no such score or form.
        SettingError: no score, no network or no epoch.
        MissingError: parquet without pyarrow.
    """
    for name in names:
        if name not in SCORES:
            raise UnknownNameError("difficulty score", name, SCORES)
    if not names or models < 1:
        raise SettingError(f"expected at least one score and one model, got {len(names)} and {models}")
    if epochs is not None and epochs < 1:
        raise SettingError(f"expected at least 1 epoch before scoring, got {epochs}")
    if form not in FORMATS:
        raise UnknownNameError("format of scores", form, FORMATS)
    if form == "parquet" and find_spec("pyarrow") is None:
        raise MissingError("parquet needs pyarrow, which is not installed: pip install pyarrow, or --format npz")


def _columns(bench: Bench, scored: Sequence[Scored]) -> dict[str, Any]:
    """Index in the data set as it was loaded, label, each score and each network's own."""
    index = torch.arange(len(bench.train)) if bench.chosen is None else bench.chosen
    columns = {"index": index.numpy(), "label": bench.train.labels.cpu().numpy()}
    for each in scored:
        columns[each.name] = each.mean.numpy()
        columns |= {f"{each.name}_{seed}": own.numpy() for seed, own in enumerate(each.each)}
    return columns


def _write(folder: RunFolder, bench: Bench, scored: Sequence[Scored], form: str) -> Path:
    columns, buffer = _columns(bench, scored), BytesIO()
    if form == "parquet":
        pd.DataFrame(columns).to_parquet(buffer, index=False)
    else:
        np.savez(buffer, **columns)
    folder.write(f"scores.{form}", buffer.getvalue())
    return folder.path / f"scores.{form}"


def _provenance(bench: Bench, scored: Sequence[Scored], title: str) -> dict[str, Any]:
    return {
        "title": title,
        "data": bench.data.label,
        "fingerprint": bench.data.fingerprint,
        "images": len(bench.train),
        "columns": "index (of the data set as loaded), label, each score (larger is harder), and NAME_K of network K",
        "scores": {
            each.name: {
                "about": SCORES[each.name].about,
                "paper": SCORES[each.name].paper,
                "epochs": each.epochs,
                "runs": list(each.runs),
            }
            for each in scored
        },
        "environment": environment(bench.device),
    }


def _sheets(bench: Bench, scored: Sequence[Scored], title: str, folder: Path, every: int) -> list[Path]:
    paths: list[Path] = []
    for each in scored:
        when = f"{'over' if SCORES[each.name].needs == 'epochs' else 'after'} {each.epochs} of {every} epochs"
        told = f"{title}\nunder each image: {name_of(each.name)} {when}, {SCORES[each.name].about}"
        paths += hard_sheet(bench, each, told, folder / f"sheet-{each.name}")
    return paths


def _agreement(console: Console, scored: Sequence[Scored], title: str, folder: RunFolder) -> list[Path]:
    """Rank correlations: between the networks of one score, and between scores."""
    between = {each.name: _between_seeds(each) for each in scored}
    table = rank_correlations({each.name: each.mean for each in scored})
    values = [[None if math.isnan(value) else value for value in row] for row in table.tolist()]  # JSON has no nan
    told = {"between_networks": between, "names": [each.name for each in scored], "between_scores": values}
    folder.write("agreement.json", json.dumps(told, indent=1).encode())
    console.print(_printed(scored, between, table, title))
    if len(scored) < 2:
        return [folder.path / "agreement.json"]
    names = [name_of(each.name) for each in scored]
    heading = f"{title}\nSpearman's rank correlation between scores"
    low = -1.0 if float(table.nan_to_num(0.0).min()) < 0 else 0.0  # of all such figures, or of all with a negative one
    drawn = grid(table.tolist(), names, names, heading, folder.path / "agreement", low=low, high=1.0, form=".2f")
    return [folder.path / "agreement.json", *drawn]


def _between_seeds(scored: Scored) -> float | None:
    """Mean rank correlation over pairs of networks; None with one network, or where a network ranks nothing."""
    count = len(scored.each)
    if count < 2:
        return None
    table = rank_correlations({str(seed): own for seed, own in enumerate(scored.each)})
    found = float(table[~torch.eye(count, dtype=torch.bool)].mean())
    return None if math.isnan(found) else found


def _printed(scored: Sequence[Scored], between: dict[str, float | None], table: torch.Tensor, title: str) -> Table:
    printed = Table(title=f"{title}\nSpearman's rank correlation", box=box.SIMPLE_HEAD, title_justify="left")
    printed.add_column("", justify="right")
    printed.add_column("score", no_wrap=True)
    for heading in ("epochs", "between networks", *(str(number + 1) for number in range(len(scored)))):
        printed.add_column(heading, justify="right", no_wrap=True)
    for number, (row, each) in enumerate(zip(table.tolist(), scored, strict=True)):
        own = between[each.name]
        numbers = ["" if own is None else f"{own:.2f}", *("" if math.isnan(value) else f"{value:.2f}" for value in row)]
        printed.add_row(str(number + 1), each.name, str(each.epochs), *numbers)
    return printed
