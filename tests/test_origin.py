"""Runs that take their masks, and perhaps their weights, from another run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.bench import run as run_module
from gossamer.bench.data import load
from gossamer.bench.described import described
from gossamer.bench.finished import Finished
from gossamer.bench.lab import RunLab, dense_of
from gossamer.bench.models import build
from gossamer.bench.recipes import find
from gossamer.bench.run import run
from gossamer.bench.session import origin_of, with_method
from gossamer.bench.spec import SCHEMA, Origin, RunSpec
from gossamer.bench.store import RunFolder
from gossamer.bench.trace import Trace
from gossamer.bench.training import Training
from gossamer.core.errors import DataError, MissingError, SettingError
from tests.workbench import TRAIN, bench, digits, said, spec

OTHER = spec("gmp", settings={"every": "1", "end": "0.5"})


def taker(recipe: str = "static", weights: str = "own", **changes: Any) -> RunSpec:
    fields: dict[str, Any] = {"settings": {}, "origin": Origin(run=OTHER, weights=weights), "seed": 7}  # type: ignore[arg-type]
    return spec(recipe, **{**fields, **changes})


def start_of(each: RunSpec, out: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The weights that a run's training begins with, after masking."""
    seen: list[dict[str, Tensor]] = []
    initialise = Training.__init__

    def watched(training: Training, *rest: Any, **named: Any) -> None:
        initialise(training, *rest, **named)
        seen.append({name: value.clone() for name, value in training.model.state_dict().items()})

    run(OTHER, bench(out))
    monkeypatch.setattr(Training, "__init__", watched)
    run(each, bench(out))
    return seen[-1]


def network(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    data = digits()
    model = build("mlp300", num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))
    return model.state_dict()


def masked(weights: dict[str, Tensor], out: Path) -> dict[str, Tensor]:
    masks = Finished(OTHER, bench(out)).masks
    return {name: tensor * masks[name] if name in masks else tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    ("weights", "changes", "seed"),
    [("own", {}, 7), ("own", {"weights_seed": 3}, 3), ("initial", {}, 0)],
    ids=["scratch", "scratch of another seed", "lottery"],
)
def test_a_run_starts_from_drawn_weights_under_the_other_runs_masks(
    weights: str, changes: dict[str, Any], seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = start_of(taker(weights=weights, **changes), tmp_path, monkeypatch)
    for name, expected in masked(network(seed), tmp_path).items():
        assert torch.equal(found[name], expected), name


def test_a_restart_begins_with_the_other_runs_trained_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = start_of(taker(weights="final"), tmp_path, monkeypatch)
    for name, expected in Finished(OTHER, bench(tmp_path)).weights.items():
        assert torch.equal(found[name], expected), name


def test_masks_stay_where_they_were_or_are_rewired_from_there(tmp_path: Path) -> None:
    rigl = taker("rigl", settings={"every": "1", "stop": "1", "fraction": "0.5"})
    masks = {}
    for each in (OTHER, taker(), rigl):
        run(each, bench(tmp_path))
        masks[each.recipe] = Finished(each, bench(tmp_path)).masks
    live = {name: int(mask.sum()) for name, mask in masks["gmp"].items()}
    assert all(torch.equal(mask, masks["gmp"][name]) for name, mask in masks["static"].items())
    assert {name: int(mask.sum()) for name, mask in masks["rigl"].items()} == live
    assert any(not torch.equal(mask, masks["gmp"][name]) for name, mask in masks["rigl"].items())


def test_the_other_run_is_trained_once_by_whoever_needs_it_first_and_is_paid_for_by_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    conclude = run_module._Run._conclude
    monkeypatch.setattr(
        run_module._Run, "_conclude", lambda self, t: trained.append(self.spec.recipe) or conclude(self, t)
    )
    first, second = run(taker(), bench(tmp_path)), run(taker("set", settings={"every": "1"}), bench(tmp_path))
    assert trained == ["gmp", "static", "set"]
    paid = run(OTHER, bench(tmp_path))["training_flops"]
    own = run(taker(origin=Origin(run=replace(OTHER, seed=1))), bench(tmp_path))
    assert first["training_flops"] - paid == pytest.approx(
        own["training_flops"] - run(replace(OTHER, seed=1), bench(tmp_path))["training_flops"]
    )
    assert second["training_flops"] > paid


def test_a_taker_stopped_anywhere_ends_with_the_same_bits(tmp_path: Path) -> None:
    from tests.workbench import Counting, Stopped

    each = taker("rigl", settings={"every": "1", "stop": "1"})
    run(each, bench(tmp_path / "whole"))
    run(OTHER, bench(tmp_path / "broken"))
    with pytest.raises(Stopped):
        run(each, bench(tmp_path / "broken", watch=Counting(stop=4), checkpoint_seconds=0.0))
    run(each, bench(tmp_path / "broken"))
    assert said(tmp_path / "whole" / each.key) == said(tmp_path / "broken" / each.key)


@pytest.mark.parametrize("recipe", ["dense", "gmp", "lth", "snip", "small_dense", "granet", "random"])
def test_methods_that_draw_their_own_masks_are_refused(recipe: str) -> None:
    with pytest.raises(SettingError, match=r"expected a method that can start from given masks \(static, set, rigl"):
        find(recipe, given_masks=True)


def test_a_run_on_other_data_or_of_another_network_cannot_give_its_masks() -> None:
    with pytest.raises(
        SettingError, match=r"expected a run on the same data .* got model: lenet5 and mlp300, keep: 0.5"
    ):
        taker(model="lenet5", keep=0.5)
    with pytest.raises(SettingError, match=r"expected the sparsity of the run that masks come from, 0\.9, got 0\.5"):
        taker(sparsity=0.5)


def test_other_words_for_the_weights_are_refused() -> None:
    with pytest.raises(SettingError, match=r"expected weights of the origin to be one of .* got 'trained'"):
        Origin(run=OTHER, weights="trained")  # type: ignore[arg-type]


def test_keys_tell_origins_apart_but_not_names_of_the_same_data() -> None:
    keys = {taker(weights=weights).key for weights in ("own", "initial", "final")}
    keys |= {taker(weights_seed=1).key, taker(origin=Origin(run=replace(OTHER, seed=1))).key}
    assert len(keys) == 5
    elsewhere = Origin(run=replace(OTHER, data="my-digits"))
    assert taker(origin=elsewhere).key == taker().key


def test_a_description_is_read_back_whole(tmp_path: Path) -> None:
    each = taker("rigl", settings={"every": "5"}, trace=None)
    RunFolder(tmp_path).write_json("spec.json", each.resolved())
    assert described(RunFolder(tmp_path)) == each


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (["a"], "expected a run's description, got something else"),
        ({"schema": SCHEMA - 1}, f"expected a description of schema {SCHEMA}, got {SCHEMA - 1}: another version"),
        (
            {**taker().resolved(), "seed": "x"},
            "expected a run's description, but seed: Input should be a valid integer",
        ),
    ],
)
def test_what_is_no_description_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=words):
        described(RunFolder(tmp_path))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"expected the folder of a run with its spec\.json"):
        described(RunFolder(tmp_path))


def test_from_and_weights_on_the_command_line(tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "run")
    place.write_json("spec.json", OTHER.resolved())
    origin = origin_of(place.path, "initial")
    assert origin == Origin(run=OTHER, weights="initial")
    each = with_method(spec("dense"), "set", 0.5, 3, ["every=2"], origin)
    assert (each.sparsity, each.seed, each.origin) == (0.9, 3, origin)
    assert origin_of(None, None) is None
    with pytest.raises(SettingError, match="expected --from with --weights"):
        origin_of(None, "final")
    place.write_json("spec.json", spec("dense").resolved())
    with pytest.raises(SettingError, match="expected --from a run with masks, got dense"):
        origin_of(place.path, None)


def test_without_normalisation_the_network_sees_images_between_0_and_1(tmp_path: Path) -> None:
    plain = spec("dense", train=replace(TRAIN, normalize=False))
    run(plain, bench(tmp_path))
    weights = Finished(plain, bench(tmp_path)).weights
    assert {name: weights[name].flatten().tolist() for name in ("normalize.mean", "normalize.std")} == {
        "normalize.mean": [0.0],
        "normalize.std": [1.0],
    }
    images = load("digits").test_images[:5] / 255.0
    model = Finished(plain, bench(tmp_path)).model()
    hidden = torch.relu(images.flatten(1) @ weights["fc1.weight"].T + weights["fc1.bias"])
    hidden = torch.relu(hidden @ weights["fc2.weight"].T + weights["fc2.bias"])
    expected = hidden @ weights["fc3.weight"].T + weights["fc3.bias"]
    assert torch.allclose(model(images), expected, atol=1e-5)


def test_a_small_dense_network_may_have_widths_of_its_own(tmp_path: Path) -> None:
    small = spec("small_dense", settings={"hidden": "5+4"})
    found = run(small, bench(tmp_path))
    assert found["weights"] == 64 * 5 + 5 * 4 + 4 * 10
    assert Finished(small, bench(tmp_path)).model().fc1.weight.shape == (5, 64)


def test_a_lab_that_must_not_train_says_which_run_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the run digits-mlp300-dense-s0-seed0-\w+ to be finished, got none"):
        RunLab(spec("lth", settings={}), bench(tmp_path)).dense()


def test_a_traced_ticket_shares_the_untraced_dense_run(tmp_path: Path) -> None:
    ticket = spec("lth", settings={"rounds": "1", "rewind": "0"}, trace=Trace(every=2, images=10))
    dense = spec("dense")
    assert dense_of(ticket).key == dense.key
    run(ticket, bench(tmp_path))
    assert Finished(dense, bench(tmp_path)).folder.result() is not None
