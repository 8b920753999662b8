"""What is measured along a training: it changes nothing, agrees with the library, and survives a kill."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from gossamer.analyze.flow.norms import gradient_norm
from gossamer.bench.finished import Finished
from gossamer.bench.lab import initial_weights
from gossamer.bench.run import run
from gossamer.bench.trace import Trace
from gossamer.bench.tracer import fixed_images, snapshot_name
from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError
from tests.workbench import TRAIN, Counting, Stopped, bench, said, spec

TRACE = Trace(every=2, images=30, snapshots=(2, 4))
TABLES = ("flow", "updates", "masks")


def traced(recipe: str = "rigl", **changes: Any) -> Any:
    return spec(recipe, trace=TRACE, **changes)


def tables(folder: Path) -> dict[str, bytes]:
    names = [*(f"{name}.jsonl" for name in TABLES), *sorted(path.name for path in folder.glob("snapshot-*"))]
    return {name: (folder / name).read_bytes() for name in names}


def test_a_trace_changes_no_bit_of_the_training(tmp_path: Path) -> None:
    each, plain = traced(), spec("rigl")
    for one in (each, plain):
        run(one, bench(tmp_path))
    assert each.key != plain.key
    assert said(tmp_path / each.key) == said(tmp_path / plain.key)


def test_the_norm_is_that_of_the_library_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    each = traced("random")
    run(each, bench(tmp_path))
    done = Finished(each, bench(tmp_path))
    rows, model = done.table("flow"), done.model()
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    data = fixed_images(bench(tmp_path).train, 30, TRAIN, 5)
    assert rows[-1]["norm"] == pytest.approx(gradient_norm(model, cross_entropy, data, masks=done.masks), rel=1e-6)
    model.load_state_dict(initial_weights(each, bench(tmp_path)))
    with torch.no_grad():
        mask_ops.apply_({name: p for name, p in model.named_parameters() if name in done.masks}, done.masks)
    assert rows[0]["norm"] == pytest.approx(gradient_norm(model, cross_entropy, data, masks=done.masks), rel=1e-6)


def test_every_update_of_the_masks_is_measured_before_and_after(tmp_path: Path) -> None:
    each = traced()
    run(each, bench(tmp_path))
    done = Finished(each, bench(tmp_path))
    updates = done.table("updates")
    assert [row["step"] for row in updates] == [1, 2, 3, 4, 5]
    assert all(row["change"] == row["after"] - row["before"] for row in updates)
    history = done.table("masks")
    assert [row["step"] for row in history] == [0, 1, 2, 3, 4, 5]
    assert history[-1]["explored"] > history[0]["explored"]
    assert all(row["born"] == row["died"] > 0 for row in history[1:])


def test_snapshots_hold_the_network_before_and_after_an_update(tmp_path: Path) -> None:
    each = traced()
    run(each, bench(tmp_path))
    done = Finished(each, bench(tmp_path))
    norms = {row["step"]: row for row in done.table("updates")}
    data = fixed_images(bench(tmp_path).train, 30, TRAIN, 5)
    for step in TRACE.snapshots:
        for moment in ("before", "after"):
            weights, masks = done.snapshot(step, moment)
            model = done.model()
            model.load_state_dict(dict(weights))
            found = gradient_norm(model, cross_entropy, data, masks=masks)
            assert found == pytest.approx(norms[step][moment], rel=1e-6), (step, moment)
    assert not (done.folder.path / snapshot_name(3, "before")).exists()


@pytest.mark.parametrize("stop", [1, 2, 4, 6])
def test_a_run_stopped_after_any_step_has_the_same_trace(stop: int, tmp_path: Path) -> None:
    each = traced()
    run(each, bench(tmp_path / "whole"))
    with pytest.raises(Stopped):
        run(each, bench(tmp_path / "broken", watch=Counting(stop=stop), checkpoint_seconds=0.0))
    run(each, bench(tmp_path / "broken"))
    assert tables(tmp_path / "whole" / each.key) == tables(tmp_path / "broken" / each.key)


def test_a_dense_run_has_a_flow_and_no_updates(tmp_path: Path) -> None:
    each = traced("dense")
    run(each, bench(tmp_path))
    assert [len(Finished(each, bench(tmp_path)).table(name)) for name in TABLES] == [4, 0, 0]


def test_rows_are_lines_of_json_and_grow_epoch_by_epoch(tmp_path: Path) -> None:
    each = traced()
    with pytest.raises(Stopped):
        run(each, bench(tmp_path, watch=Counting(stop=5)))
    lines = (tmp_path / each.key / "flow.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 2]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"every": 0}, "expected every ≥ 1 and images ≥ 1 of a trace, got 0 and 1000"),
        ({"images": 0}, "expected every ≥ 1 and images ≥ 1 of a trace, got 100 and 0"),
        ({"snapshots": (5, -1)}, r"expected snapshots at steps of 0 or more, got \(5, -1\)"),
    ],
)
def test_settings_outside_their_ranges_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        Trace(**settings)
